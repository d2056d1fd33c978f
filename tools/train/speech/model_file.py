"""A codec as the file that the library opens: encoder, quantizer, heavy and light decoder, gate, and the layouts of the networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from train.runs import write_atomically
from train.speech.codec import Codec
from train.speech.gate import Gate
from train.speech.soundstream import HEAVY, LIGHT, Decoder
from train.speech.sounds import RATE

NAME = "model.safetensors"
FACTS = {"format": "lightswitch.soundstream", "version": "1", "sample_rate": str(RATE)}
METADATA = FACTS | HEAVY.metadata("encoder") | HEAVY.metadata("heavy") | LIGHT.metadata("light")


class OtherShapes(Exception):
    """Which part of a file is not of the shapes trained here."""


@dataclass(frozen=True)
class SpeechModel:
    codec: Codec
    light: Decoder
    gate: Gate

    def parts(self) -> dict[str, nn.Module]:
        return {"encoder": self.codec.encoder, "heavy": self.codec.heavy, "light": self.light, "gate": self.gate}


def write(file: Path, model: SpeechModel) -> None:
    """In half precision: what the gate and the encoder see is what they will see wherever the file is read."""
    tensors = {f"{part}.{name}": value for part, module in model.parts().items() for name, value in module.state_dict().items()}
    tensors["quantizer.codebooks"] = model.codec.quantizer.codebooks
    halves = {name: value.half().contiguous() for name, value in tensors.items()}
    write_atomically(file, lambda path: save_file(halves, path, METADATA))


def read(file: Path) -> SpeechModel:
    """@throws OtherShapes"""
    weights = {name: value.float() for name, value in load_file(file).items()}
    if weights.get("quantizer.codebooks", Tensor()).ndim != 3:
        raise OtherShapes(f"{file}: quantizer.codebooks: expected stages, entries and features")
    books = weights.pop("quantizer.codebooks")
    model = SpeechModel(Codec(len(books), books.shape[1]), Decoder(LIGHT), Gate())
    model.codec.quantizer.codebooks.copy_(books)
    for part, module in model.parts().items():
        try:
            module.load_state_dict(of_part(weights, part))
        except RuntimeError as error:
            raise OtherShapes(f"{file}: {part}: {error}") from error
        module.eval().requires_grad_(False)
    model.codec.eval().requires_grad_(False)
    return model


def of_part(weights: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{part}."): value for name, value in weights.items() if name.startswith(f"{part}.")}

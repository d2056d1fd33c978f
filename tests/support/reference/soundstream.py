"""python -m reference.soundstream CASE --out FILE: a SoundStream codec with random weights and what PyTorch makes with it.

Tensors: encoder.*, heavy.*, quantizer.codebooks [N, K, D]; reference.samples [T * hop], .embeddings [T, D], .indices [T, N],
.dequantized [T, D] (all stages), .dequantized_2 (the first two), .decoded [T * hop]. Metadata: the layout.
The networks are those that tools/train trains: torch on whole clips, padded with zeros on the left, which streaming has to equal.
"""

import argparse
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from reference.case import randomise

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))
from train.speech.soundstream import HEAVY, LIGHT, Decoder, Encoder, Layout  # noqa: E402

CASES = {
    "heavy": HEAVY,
    "light": LIGHT,
    "paper": Layout(
        features=16,
        channels=[64, 32, 16, 8, 4],
        strides=[8, 5, 4, 2, 1],
        kernels=[7, 16, 10, 8, 4, 7],
        groups=[1] * 5,
        unit_groups=[1] * 4,
        dilations=[[1, 3, 9]] * 4,
        unit_kernel=7,
        separable=False,
        activation="elu",
    ),
    # Kernels that are no multiple of their stride, channels that fill no vector register, a stage without units.
    "odd": Layout(
        features=6,
        channels=[20, 9, 6],
        strides=[3, 2, 4],
        kernels=[2, 7, 3, 9],
        groups=[2, 1, 3],
        unit_groups=[3, 1],
        dilations=[[2, 1], []],
        unit_kernel=4,
        separable=True,
        activation="elu",
    ),
}


def quantize(embeddings: torch.Tensor, codebooks: torch.Tensor) -> torch.Tensor:
    """Indices [T, N]: each stage takes the entry nearest to what the stages before it left."""
    residual, indices = embeddings.double(), []
    for book in codebooks.double():
        distances = (residual[:, None] - book[None]).square().sum(-1)
        indices.append(distances.argmin(-1))
        residual = residual - book[indices[-1]]
    return torch.stack(indices, 1)


def dequantize(indices: torch.Tensor, codebooks: torch.Tensor) -> torch.Tensor:
    return sum(book[column] for book, column in zip(codebooks, indices.unbind(1)))


def write(case: str, file: Path, frames: int = 12, stages: int = 5, entries: int = 16, seed: int = 1) -> None:
    layout = CASES[case]
    generator = torch.Generator().manual_seed(seed)
    encoder, decoder = Encoder(layout).eval(), Decoder(layout).eval()
    with torch.no_grad():
        for module in (encoder, decoder):
            randomise(module, generator)
        samples = torch.randn(frames * layout.hop, generator=generator)
        embeddings = encoder(samples[None])[0].t().contiguous()
        decoded = decoder(embeddings.t()[None])[0]
        # Random weights make sound and embeddings of any size: the ends are scaled so that both are of order one.
        last = encoder.last
        scale = 1 / embeddings.std()
        last.weight *= scale
        last.bias *= scale
        decoder.last.weight *= 1 / decoded.std()
        embeddings = encoder(samples[None])[0].t().contiguous()
        codebooks = torch.randn(stages, entries, layout.features, generator=generator)
        codebooks *= 0.6 ** torch.arange(stages)[:, None, None]
        codebooks = codebooks.half().float()
        indices = quantize(embeddings, codebooks)
        tensors = {
            "quantizer.codebooks": codebooks.half(),
            "reference.samples": samples,
            "reference.embeddings": embeddings,
            "reference.indices": indices,
            "reference.dequantized": dequantize(indices, codebooks),
            "reference.dequantized_2": dequantize(indices[:, :2], codebooks),
            "reference.decoded": decoder(embeddings.t()[None])[0],
        }
    for part, module in (("encoder", encoder), ("heavy", decoder)):
        tensors |= {f"{part}.{name}": value for name, value in module.state_dict().items()}
    tensors = {name: value.contiguous() for name, value in tensors.items()}
    save_file(tensors, file, metadata=layout.metadata("encoder") | layout.metadata("heavy"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    write(options.case, options.out)


if __name__ == "__main__":
    main()

"""An encoder and the decoders of its latent space, by the words that the program takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from bench.decoding import Decoding
from bench.settings import Settings
from bench.shipped import DECODERS, MOTION
from train.shipped import SCENES


@dataclass(frozen=True)
class Space:
    name: str
    encoder: tuple[str, ...]
    """Words of `encode` and of `decode` alike stand in `options`."""
    decoders: dict[str, str]
    """Name -> SPEC; the first is the full one."""
    options: tuple[str, ...] = ()

    @property
    def full(self) -> str:
        return next(iter(self.decoders))

    def encode(self, settings: Settings, pictures: Path, latents: Path, kind: str = "diffusion") -> Path:
        """@param pictures a folder of one size, or a clip."""
        settings.program.report("encode", pictures, *self.encoder, *self.options, "--kind", kind, "-o", latents)
        return latents

    def spec(self, settings: Settings, decoder: str) -> str:
        return f"{self.decoders[decoder]},dtype={settings.dtype}"

    def decode(self, settings: Settings, decoder: str, latents: Path, target: Path, *more: str) -> dict:
        """@param target a file, or NAME-%04d.png."""
        target.parent.mkdir(parents=True, exist_ok=True)
        return settings.program.report("decode", latents, "--decoder", self.spec(settings, decoder), *self.options, *more, "-o", target)

    def decoding(self, settings: Settings, decoder: str, latents: Path, folder: Path, *more: str) -> Decoding:
        """To be timed."""
        return Decoding(settings.program, latents, self.spec(settings, decoder), folder, [*self.options, *more])


SCENES_SPACE = Space("models/scenes", (), {name: name for name in DECODERS}, ("-m", str(SCENES)))
MOTION_SPACE = Space("models/motion", (), {"vae": "vae", "tae": "tae"}, ("-m", str(MOTION)))


def idle_decoding(settings: Settings, latents: Path, folder: Path) -> Decoding:
    """Of latents of models/scenes, by one matrix."""
    return Decoding(settings.program, latents, "proj", folder, ["-m", str(SCENES)])


def published_space(data: Path | None) -> Space | None:
    """TAEF2, where its files are."""
    folder = data / "models" / "taef2" if data else None
    if not folder or not (folder / "taef2_encoder.pth").is_file():
        return None
    return Space("TAEF2", ("--encoder", str(folder / "taef2_encoder.pth")), {"taef2": str(folder / "taef2_decoder.pth")})


def users_space(encoder: str, decoders: list[str]) -> Space:
    return Space("yours", ("--encoder", encoder), {Path(spec.partition(",")[0]).name or spec: spec for spec in decoders})


def stored(latents: Path) -> tuple[torch.Tensor, dict[str, str]]:
    with safe_open(latents, "pt") as file:
        return file.get_tensor("latents"), file.metadata() or {}


def first_of(latents: Path, count: int = 1) -> Path:
    """The first pictures of a file, as another file beside it."""
    tensor, facts = stored(latents)
    path = latents.with_name(f"first-{count}-of-{latents.name}")
    save_file({"latents": tensor[:count].contiguous()}, path, facts)
    return path


def as_clips(latents: Path, frames: int) -> Path:
    """Pictures [N * T, C, h, w] as clips [N, C, T, h, w], in another file beside it."""
    tensor, facts = stored(latents)
    path = latents.with_name(f"clips-of-{latents.name}")
    save_file({"latents": tensor.unflatten(0, (-1, frames)).transpose(1, 2).contiguous()}, path, facts)
    return path

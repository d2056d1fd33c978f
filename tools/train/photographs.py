"""A folder of photographs with a teacher's latents of them, and random crops of both."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from train.autoencoder import to_network, to_pictures
from train.runs import half_precision, write_atomically

FACTOR = 8
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def find(folder: Path) -> dict[str, Path]:
    """Every picture below `folder`, in order, by its name relative to it."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise ValueError(f"{folder}: no pictures ({', '.join(sorted(SUFFIXES))})")
    return {path.relative_to(folder).as_posix(): path for path in found}


def read(path: Path, side: int | None = None) -> np.ndarray:
    """uint8 [H, W, 3] with sides divisible by 8: the middle of the photograph. With `side`, the shorter side is first
    scaled down to it where it is longer, and the longer one is cut to it."""
    from PIL import Image, ImageOps

    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file).convert("RGB")
    if side and min(image.size) > side:
        image = ImageOps.scale(image, side / min(image.size), Image.Resampling.LANCZOS)
    width, height = (min(length, side or length) // FACTOR * FACTOR for length in image.size)
    if not width or not height:
        raise ValueError(f"{path}: {image.width}x{image.height}, expected at least {FACTOR}x{FACTOR}")
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return np.array(image)[top : top + height, left : left + width]


@torch.no_grad()
def encoded(encoder: torch.nn.Module, picture: np.ndarray) -> Tensor:
    """Latents [C, H/8, W/8] in half precision, as they are stored."""
    return encoder(to_network(picture[None]))[0].half()


@torch.no_grad()
def decoded(decoder: torch.nn.Module, latents: Tensor) -> np.ndarray:
    return to_pictures(decoder(latents[None].float()).float())[0]


def kept(path: Path, names: list[str], made_from: dict[str, str], make: Callable[[str], Tensor]) -> dict[str, Tensor]:
    """make(name) for every name, once: `path` keeps the results as long as it was `made_from` the same."""
    if path.exists():
        with safe_open(path, "pt") as file:
            if file.metadata() == made_from and set(file.keys()) == set(names):
                return load_file(path)
    values = {}
    for number, name in enumerate(names, 1):
        with half_precision():
            values[name] = make(name).contiguous()
        if number % 50 == 0 or number == len(names):
            print(f"{path.name}: {number} of {len(names)}", file=sys.stderr, flush=True)
    write_atomically(path, lambda part: save_file(values, part, made_from))
    return values


def given_latents(path: Path, pictures: dict[str, np.ndarray], channels: int) -> dict[str, Tensor]:
    """Latents that a user made: one tensor for each picture, under the picture's name."""
    latents = load_file(path)
    for name, picture in pictures.items():
        expected = (channels, picture.shape[0] // FACTOR, picture.shape[1] // FACTOR)
        found = tuple(latents[name].shape) if name in latents else "nothing"
        if found != expected:
            raise ValueError(f"{path}: {name}: expected latents {expected}, found {found}")
    return latents


class Crops:
    """Random square crops of photographs, of what the teacher makes of them, and of their latents."""

    def __init__(
        self, pictures: dict[str, np.ndarray], taught: dict[str, Tensor], latents: dict[str, Tensor], crop: int
    ):
        """`crop`: side in pixels; smaller photographs are left out."""
        self.crop = crop // FACTOR
        self.rows = [
            (picture, taught[name].numpy(), latents[name])
            for name, picture in pictures.items()
            if min(picture.shape[:2]) >= crop
        ]
        if not self.rows:
            raise ValueError(f"no photograph is {crop}x{crop} pixels or larger")

    def batch(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """Photographs and the teacher's pictures [count, 3, crop, crop] in -1..1, latents [count, C, crop/8, crop/8]."""
        photographs, taught, latents = [], [], []
        for index in torch.randint(len(self.rows), (count,)).tolist():
            picture, made, z = self.rows[index]
            top, left = (int(torch.randint(length - self.crop + 1, ())) for length in z.shape[1:])
            pixels = tuple(slice(FACTOR * at, FACTOR * (at + self.crop)) for at in (top, left))
            photographs.append(picture[pixels])
            taught.append(made[pixels])
            latents.append(z[:, top : top + self.crop, left : left + self.crop])
        return to_network(np.stack(photographs)), to_network(np.stack(taught)), torch.stack(latents).float()

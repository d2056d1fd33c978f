"""The parts that lie in models/scenes: what a training goes on from where this machine has no run of its own."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file

CONFIGS = Path(__file__).resolve().parent / "configs"
MODELS = Path(__file__).resolve().parents[2] / "models"
SCENES, MOTION = MODELS / "scenes", MODELS / "motion"


def shipped_part(name: str, folder: Path = SCENES) -> torch.jit.ScriptModule:
    """A TorchScript part in single precision."""
    return torch.jit.load(folder / name).float().eval()


def shipped_autoencoder(folder: Path = SCENES) -> dict:
    """The shipped encoder and light decoder as `scenes-latents` freezes them, with the scale of their space."""
    weights = load_file(folder / "vit.safetensors")
    space = json.loads((folder / "model.json").read_text())["latent_spaces"]["scenes"]
    return {
        "model": {name: value.float() if value.is_floating_point() else value for name, value in weights.items()},
        "config": (CONFIGS / "scenes_autoencoder.json").read_text(),
        "step": 0,
        "seconds": 0.0,
        "scaling_factor": space["scaling_factor"],
    }


def shipped_decoder(path: Path) -> dict:
    """The weights of a decoder that was trained against frozen latents, in single precision."""
    return {name.removeprefix("decoder."): value.float() for name, value in load_file(path).items()}


def shipped_codec(folder: Path, parts: tuple[str, ...] = ("encoder", "heavy", "quantizer")) -> dict:
    """The weights of these parts of a codec, in single precision, under their names in the file."""
    weights = load_file(folder / "model.safetensors")
    return {name: value.float() for name, value in weights.items() if name.partition(".")[0] in parts}

"""The parts that lie in models/scenes: what a training goes on from where this machine has no run of its own."""

from __future__ import annotations

from pathlib import Path

import torch

SCENES = Path(__file__).resolve().parents[2] / "models" / "scenes"


def shipped_part(name: str, folder: Path = SCENES) -> torch.jit.ScriptModule:
    """A TorchScript part in single precision."""
    return torch.jit.load(folder / name).float().eval()

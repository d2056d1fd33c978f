"""Fits a gate for a pair of decoders in a process of its own: `python -m bench.pair_gate GAINS.safetensors GATE.safetensors MINUTES`.

GAINS holds pairs of tensors, `z.N` [C, h, w] as the denoiser holds them, and `gain.N` [h, w]. The run lies in $LIGHTSWITCH_RUNS.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from bench.machine import ROOT
from train import gate
from train.photographs import FACTOR
from train.routed_training import gains
from train.runs import CONFIGS, read_config

CONFIG = read_config(CONFIGS / "gate.json")


def fit(latents: torch.Tensor, light: torch.Tensor, heavy: torch.Tensor, wanted: torch.Tensor, minutes: float, folder: Path) -> Path:
    """@param latents [N, C, h, w] of the denoiser. @param light, heavy, wanted pictures [N, 3, H, W] in [-1, 1]. @return the gate's file."""
    maps = gains(light, heavy, wanted, FACTOR, CONFIG["gradient_weight"])
    items = {f"{name}.{number}": one.contiguous() for name, all_ in (("z", latents), ("gain", maps)) for number, one in enumerate(all_)}
    given, made = folder / "gains.safetensors", folder / "gate.safetensors"
    save_file(items, given)
    subprocess.run(
        [sys.executable, "-m", "bench.pair_gate", given, made, str(minutes)],
        cwd=ROOT / "tools",
        check=True,
        capture_output=True,
        env=os.environ | {"LIGHTSWITCH_RUNS": str(folder / "runs")},
    )
    return made


def main(given: str, made: str, minutes: str) -> None:
    torch.set_num_threads(1)
    tensors = load_file(given)
    items = [(tensors[f"z.{number}"], tensors[f"gain.{number}"]) for number in range(len(tensors) // 2)]
    crop = min(min(gain.shape) for _, gain in items) * FACTOR
    trained = gate.train(CONFIG | {"name": "pair", "minutes": float(minutes), "crop": min(crop, CONFIG["crop"])}, items)
    save_file({f"gate.{name}": value.contiguous() for name, value in trained.state_dict().items()}, made)


if __name__ == "__main__":
    main(*sys.argv[1:])

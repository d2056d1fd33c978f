"""How clips are measured: a Fréchet distance that sees motion, and the memory that decoding takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from train.autoencoder import to_network


@torch.no_grad()
def clip_features(network: nn.Module, clips: np.ndarray) -> Tensor:
    """[N * (T - 1), 2D] of uint8 clips: of each frame but the first, beside those of its difference from the frame
    before (around middle grey), by a `network` that reads pictures in 0..1."""
    rows = []
    for frames in clips:
        pictures = (to_network(frames) + 1) / 2
        changes = (pictures.diff(dim=0) + 1) / 2
        rows.append(torch.cat([network(pictures[1:]), network(changes)], 1))
    return torch.cat(rows)


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T


def frechet(a: Tensor, b: Tensor) -> float:
    """Between normal distributions with the means and covariances of two sets of features [N, D]."""
    a, b = a.double(), b.double()
    of_a, of_b = torch.cov(a.T), torch.cov(b.T)
    root = _root(of_a)
    shared = torch.linalg.eigvalsh(root @ of_b @ root).clamp(min=0).sqrt().sum()
    return float((a.mean(0) - b.mean(0)).square().sum() + of_a.trace() + of_b.trace() - 2 * shared)


def distance(network: nn.Module, clips: np.ndarray, wanted: np.ndarray) -> float:
    return frechet(clip_features(network, clips), clip_features(network, wanted))


def _status(name: str) -> int:
    """A line of this process's memory, in KiB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def peak_mib(work) -> float:
    """Memory that `work()` takes at its highest, beyond what is held before (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")  # forget the highest mark so far
    before = _status("VmRSS")
    work()
    return max(_status("VmHWM") - before, 0) / 1024

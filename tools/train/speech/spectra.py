"""Distances between sounds: log-mel spectra at several resolutions for training, and the one that scores are told in."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

RATE = 16000


def _mel(hertz: float) -> float:
    """Slaney's scale: linear to 1 kHz, logarithmic above."""
    return hertz * 3 / 200 if hertz < 1000 else 15 + math.log(hertz / 1000) * 27 / math.log(6.4)


def _hertz(mel: float) -> float:
    return mel * 200 / 3 if mel < 15 else 1000 * math.exp((mel - 15) * math.log(6.4) / 27)


@lru_cache(maxsize=None)
def mel_filters(window: int, bands: int, rate: int = RATE) -> Tensor:
    """[window / 2 + 1, bands]: triangles of unit area between 0 and half of the rate."""
    edges = [_hertz(_mel(rate / 2) * i / (bands + 1)) for i in range(bands + 2)]
    lower, centre, upper = (torch.tensor(edges[i : bands + i], dtype=torch.float64) for i in range(3))
    bins = torch.linspace(0, rate / 2, window // 2 + 1, dtype=torch.float64)[:, None]
    rise, fall = (bins - lower) / (centre - lower), (upper - bins) / (upper - centre)
    return (torch.minimum(rise, fall).clamp(min=0) * 2 / (upper - lower)).float()


def log_mel(x: Tensor, window: int = 1024, hop: int = 256, bands: int = 80, rate: int = RATE) -> Tensor:
    """log10 of mel power [B, frames, bands] of samples [B, n]: Hann window, no frame reaches over the ends."""
    spectrum = torch.stft(x, window, hop, window=torch.hann_window(window), center=False, return_complex=True)
    power = torch.view_as_real(spectrum).square().sum(-1).transpose(1, 2)
    return (power @ mel_filters(window, bands, rate)).clamp(min=1e-5).log10()


def log_mel_distance(x: Tensor, y: Tensor) -> Tensor:
    """Mean absolute difference of log-mel spectra, for scores: [B, n] twice to [B]."""
    return (log_mel(x) - log_mel(y)).abs().mean((1, 2))


RESOLUTIONS = ((128, 12), (256, 20), (512, 40), (1024, 80), (2048, 80))  # window, bands; hops of a quarter


def mel_loss(made: Tensor, target: Tensor) -> Tensor:
    """L1 between log-mel spectra at all resolutions, mean over them: [B, n] twice to [B]."""
    parts = []
    for window, bands in RESOLUTIONS:
        sizes = (window, window // 4, bands)
        parts.append((log_mel(made, *sizes) - log_mel(target, *sizes)).abs().mean((1, 2)))
    return torch.stack(parts).mean(0)


def si_snr(made: Tensor, target: Tensor) -> Tensor:
    """Scale-invariant signal to noise ratio in dB, means removed: [B, n] twice to [B]."""
    made, target = made - made.mean(1, keepdim=True), target - target.mean(1, keepdim=True)
    scale = (made * target).sum(1, keepdim=True) / target.square().sum(1, keepdim=True).clamp(min=1e-9)
    signal = scale * target
    return 10 * ((signal.square().sum(1) + 1e-9) / ((made - signal).square().sum(1) + 1e-9)).log10()

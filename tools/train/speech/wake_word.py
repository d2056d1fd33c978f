"""Gated compression (arXiv 2303.08970) shown on labelled data: one spoken digit is the wake word, all others stop early.

`python -m train wake-word --sounds DIR` reads the free spoken digit dataset (DIGIT_SPEAKER_INDEX.wav), trains the same small network
with and without a gated compression layer in the middle, and prints what the layer stops, what it passes on, and what it costs in
accuracy. Recordings 0 to 4 of every speaker and digit are held out.

Loss: the task's cross entropy on all samples, that of the gate against the same labels, and the size of the mask (section 3 of
the paper: a gate that knows positives from negatives early, a compression layer that keeps few channels). The gate's threshold stops
96 % of the training negatives, as the paper does at best, or fewer where that would stop a positive in 200.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.speech.spectra import log_mel

RATE = 8000
FRAMES = 100
BANDS = 40
HELD_OUT_INDICES = range(5)


def spectrum(samples: np.ndarray) -> Tensor:
    """[BANDS, FRAMES], cut or padded to a second."""
    x = torch.from_numpy(samples.astype(np.float32))[None] / 32768
    x = F.pad(x, (0, max(0, RATE - x.shape[1])))[:, :RATE]
    x = F.pad(x / x.abs().max().clamp(min=1e-3), (0, 256))
    return log_mel(x, 256, 80, BANDS, rate=RATE)[0, :FRAMES].T


def digits(folder: Path) -> tuple[Tensor, Tensor, Tensor]:
    """Spectra [n, BANDS, FRAMES], the digit of each, and whether it is held out."""
    import soundfile

    files = sorted(folder.glob("[0-9]_*_*.wav"))
    if not files:
        raise SystemExit(f"{folder}: expected recordings named DIGIT_SPEAKER_INDEX.wav, found none")
    spectra, labels, held_out = [], [], []
    for path in files:
        samples, rate = soundfile.read(path, dtype="int16")
        if rate != RATE or samples.ndim != 1:
            raise SystemExit(f"{path}: expected one channel at {RATE} Hz, found {samples.shape} at {rate}")
        digit, _, index = path.stem.split("_")
        spectra.append(spectrum(samples))
        labels.append(int(digit))
        held_out.append(int(index) in HELD_OUT_INDICES)
    return torch.stack(spectra), torch.tensor(labels), torch.tensor(held_out)


class Network(nn.Module):
    """Says whether a spectrum is the wake word; gated: with the layer between its two halves."""

    def __init__(self, gated: bool, width: int = 24, wide: int = 64):
        super().__init__()
        block = lambda i, o, stride: nn.Sequential(nn.Conv1d(i, o, 5, stride, 2), nn.BatchNorm1d(o), nn.ReLU())
        self.front = nn.Sequential(block(BANDS, width, 2), block(width, width, 1))
        self.back = nn.Sequential(block(width, wide, 1), block(wide, wide, 2), block(wide, wide, 1))
        self.head = nn.Linear(wide, 1)
        self.gate = nn.Linear(width, 1) if gated else None
        self.mask_weight = nn.Parameter(torch.ones(width)) if gated else None

    def mask(self) -> Tensor:
        """[width]: channels below a tenth are not passed on."""
        mask = self.mask_weight.clamp(0, 1)
        return mask * (mask >= 0.1) if not self.training else mask

    def verdict(self, features: Tensor) -> Tensor:
        return self.head(self.back(features).mean(2))[:, 0]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The verdict and the gate's score, logits [n]."""
        features = self.front(x)
        if self.gate is None:
            return self.verdict(features), None
        score = self.gate(features.mean(2))[:, 0]
        return self.verdict(features * self.mask()[:, None]), score


def macs(network: Network) -> tuple[int, int]:
    """Multiply-adds of one sample before the layer, and after it with the channels that are kept."""
    steps = FRAMES // 2
    front = sum(block[0].weight.numel() * steps for block in network.front)
    first, *others = (block[0] for block in network.back)
    kept = int((network.mask() > 0).sum()) if network.gate else first.in_channels
    back = first.weight.numel() // first.in_channels * kept * steps
    return front, back + sum(conv.weight.numel() * (steps // 2) for conv in others) + network.head.weight.numel()


def train(x: Tensor, positive: Tensor, gated: bool, steps: int, seed: int) -> Network:
    torch.manual_seed(seed)
    network = Network(gated)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    weight = (~positive).sum() / positive.sum()  # as many positives as negatives
    for _ in range(steps):
        chosen = torch.randint(len(x), (64,))
        shifted = torch.roll(x[chosen], int(torch.randint(-8, 9, ())), 2) + 0.05 * torch.randn(())
        wanted = positive[chosen].float()
        verdict, score = network(shifted)
        loss = F.binary_cross_entropy_with_logits(verdict, wanted, pos_weight=weight)
        if score is not None:
            loss = loss + F.binary_cross_entropy_with_logits(score, wanted, pos_weight=weight)
            loss = loss + 0.3 * network.mask_weight.clamp(0, 1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval().requires_grad_(False)


def threshold_for(scores: Tensor, positive: Tensor, kept: float = 0.995, stopped: float = 0.96) -> float:
    """Stops this share of the negatives, or fewer where that would lose more of the positives."""
    return min(scores[positive].quantile(1 - kept), scores[~positive].quantile(stopped)).item()


def balanced(verdict: Tensor, positive: Tensor) -> float:
    """Mean of the shares of positives and of negatives that are told right."""
    return ((verdict & positive).sum() / positive.sum() + (~verdict & ~positive).sum() / (~positive).sum()).item() / 2


def report(x: Tensor, labels: Tensor, held_out: Tensor, digit: int, steps: int, seed: int = 3) -> dict:
    positive = labels == digit
    plain = train(x[~held_out], positive[~held_out], False, steps, seed)
    gated = train(x[~held_out], positive[~held_out], True, steps, seed)
    threshold = threshold_for(gated(x[~held_out])[1], positive[~held_out])
    verdict, score = gated(x[held_out])
    positive = positive[held_out]
    passed = score > threshold
    front, back = macs(gated)
    plain_macs = sum(macs(plain))
    mean = front + passed.float().mean().item() * back
    return {
        "digit": digit,
        "held_out": len(positive),
        "negatives_stopped": round((~passed & ~positive).sum().item() / (~positive).sum().item(), 4),
        "positives_passed": round((passed & positive).sum().item() / positive.sum().item(), 4),
        "channels_kept": int((gated.mask() > 0).sum()),
        "channels": len(gated.mask()),
        "accuracy": round(((verdict > 0) & passed).eq(positive).float().mean().item(), 4),
        "accuracy_plain": round((plain(x[held_out])[0] > 0).eq(positive).float().mean().item(), 4),
        "balanced_accuracy": round(balanced((verdict > 0) & passed, positive), 4),
        "balanced_accuracy_plain": round(balanced(plain(x[held_out])[0] > 0, positive), 4),
        "macs": round(mean),
        "macs_plain": plain_macs,
    }


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train wake-word", description=__doc__)
    parser.add_argument("--sounds", type=Path, required=True, help="DIGIT_SPEAKER_INDEX.wav at 8 kHz")
    parser.add_argument("--digit", type=int, choices=range(10), action="append", help="the wake word; all ten, one after the other, by default")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    data = digits(options.sounds)
    for digit in options.digit or range(10):
        print(json.dumps(report(*data, digit, options.steps)), flush=True)

"""Every decoder of the scenes package on held-out drawings (`python -m train scenes-decoders-table`)."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.autoencoder import psnr, test_pictures, to_network, to_pictures
from train.decoder import FromRaw
from train.export import decoders
from train.latents import frozen_autoencoder
from train.runs import runs_folder, write_atomically
from train.world import TEST, contact_sheet

HELD_OUT_START = TEST.start + 1_000_000  # not the pictures looked at during training


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Per picture, 11x11 Gaussian window of 1.5, on values in 0..1."""
    axis = torch.exp(-((torch.arange(11.0) - 5) ** 2) / (2 * 1.5**2))
    window = (axis[:, None] * axis / axis.sum() ** 2).expand(3, 1, 11, 11)
    blur = lambda x: F.conv2d(x, window, groups=3)
    ma, mb = blur(a), blur(b)
    va, vb, cov = blur(a * a) - ma * ma, blur(b * b) - mb * mb, blur(a * b) - ma * mb
    return ((2 * ma * mb + 1e-4) * (2 * cov + 9e-4) / ((ma * ma + mb * mb + 1e-4) * (va + vb + 9e-4))).mean((1, 2, 3))


def macs(decoder: nn.Module, z: Tensor) -> int:
    """Multiply-accumulates of convolutions, linear layers and attention's products at this latent."""
    total = 0

    def count(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Linear):
            total += output.numel() * module.in_features
        elif hasattr(module, "to_q"):
            total += 2 * inputs[0].flatten(2).shape[2] ** 2 * inputs[0].shape[:2].numel()
        elif hasattr(module, "qkv"):
            total += 2 * module.dim * inputs[0].numel()
        else:
            conv = getattr(module, "conv", module)
            total += output.numel() * conv.in_channels // conv.groups * math.prod(conv.kernel_size)

    def counted(module: nn.Module) -> bool:  # a ConvLayer may fold its norm and pass its convolution by
        layer = isinstance(module, (nn.Conv2d, nn.Conv3d, nn.Linear)) or type(module).__name__ == "ConvLayer"
        return layer or hasattr(module, "to_q") or hasattr(module, "qkv")

    inner = {m.conv for m in decoder.modules() if type(m).__name__ == "ConvLayer"}
    hooks = [m.register_forward_hook(count) for m in decoder.modules() if counted(m) and m not in inner]
    with torch.no_grad():
        decoder(z)
    for hook in hooks:
        hook.remove()
    return total


@torch.no_grad()
def fastest(decoder: nn.Module, z: Tensor, rounds: int) -> float:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        decoder(z)
        times.append(time.perf_counter() - began)
    return 1000 * min(times)


def mean_in_parts(metric: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor) -> float:
    """Mean of a per-picture metric, a few pictures at a time: memory stays small."""
    return torch.cat([metric(x, y).flatten() for x, y in zip(a.split(16), b.split(16))]).mean().item()


@torch.no_grad()
def quality(made: np.ndarray, wanted: np.ndarray, judge: nn.Module | None) -> dict[str, float | None]:
    """Mean scores of uint8 pictures [N, H, W, 3]; LPIPS where there is a judge."""
    copy, target = to_network(made), to_network(wanted)
    return {
        "psnr": float(psnr(made, wanted).mean()),
        "ssim": mean_in_parts(lambda a, b: ssim((a + 1) / 2, (b + 1) / 2), copy, target),
        "lpips": mean_in_parts(judge, copy, target) if judge else None,
    }


def quality_columns(scores: dict[str, float | None]) -> str:
    distance = "-" if scores["lpips"] is None else f"{scores['lpips']:.4f}"
    return f"{scores['psnr']:.2f} | {scores['ssim']:.4f} | {distance}"


@torch.no_grad()
def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train scenes-decoders-table", description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--lpips", type=Path, help="TorchScript judge (pictures in -1..1) for the LPIPS column")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    drawn, _ = test_pictures(options.count, HELD_OUT_START)
    encoder = frozen_autoencoder().encoder
    judge = torch.jit.load(str(options.lpips)).eval() if options.lpips else None
    target = to_network(drawn)
    raw = torch.cat([encoder(part) for part in target.split(16)])
    rows = [
        f"On {options.count} held-out drawings, 128x128; ms: eager PyTorch fp32, threads: {options.threads}, "
        f"best of {options.rounds}.",
        "",
        "| decoder | family | PSNR dB | SSIM | LPIPS | parameters | GMAC | ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    shown = [drawn[:8]]
    for name, (decoder, family, _) in decoders().items():
        pair = FromRaw(encoder, decoder, family)
        made = to_pictures(torch.cat([pair.decode(part) for part in raw.split(16)]))
        shown.append(made[:8])
        parameters = sum(p.numel() for p in decoder.parameters())
        rows.append(
            f"| {name} | {family} | {quality_columns(quality(made, drawn, judge))} | {parameters:,} | "
            f"{macs(decoder, raw[:1]) / 1e9:.2f} | {fastest(decoder, raw[:1], options.rounds):.1f} |"
        )
    folder = runs_folder() / "scenes-export"
    folder.mkdir(parents=True, exist_ok=True)
    table = "\n".join(rows) + "\n"
    write_atomically(folder / "decoders_table.md", lambda p: p.write_text(table))
    from PIL import Image

    sheet = Image.fromarray(contact_sheet(np.concatenate(shown), 8))
    write_atomically(folder / "decoders.png", lambda p: sheet.save(p, "png"))
    print(table + f"\nside by side (drawings, then each decoder): {folder / 'decoders.png'}")

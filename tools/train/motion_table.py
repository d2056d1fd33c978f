"""Both decoders of clips beside those of pictures, on held-out clips (`python -m train motion-decoders-table`)."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

from train.decoder import FAMILIES as PICTURE_FAMILIES
from train.decoders_table import fastest, macs, quality, quality_columns
from train.motion_decoder import FromRaw, decoded, flicker, held_out_clips, trained
from train.motion_latents import shipped_space
from train.motion_samples import HELD_OUT_START
from train.motion_scores import distance, peak_mib
from train.motion_world import filmstrips
from train.runs import CONFIGS, read_config, runs_folder, write_atomically
from train.shipped import SCENES, shipped_decoder


def of_scenes(name: str) -> tuple[nn.Module, str]:
    """A shipped decoder of pictures and its family."""
    config = read_config(CONFIGS / f"scenes_{name}.json")
    decoder = PICTURE_FAMILIES[config["family"]](**config["model"])
    decoder.load_state_dict(shipped_decoder(SCENES / f"{name}.safetensors"))
    return decoder.eval().requires_grad_(False), config["family"]


def compared() -> dict[str, tuple[nn.Module, str]]:
    """Name -> (decoder, family)."""
    found = {}
    for name, config in (("vae", "full"), ("tae", "light")):
        settings = read_config(CONFIGS / f"motion_{config}.json")
        found[name] = (trained(settings), settings["family"])
    return found | {f"{name} of scenes, frame by frame": of_scenes(name) for name in ("vae", "tae")}


@torch.no_grad()
def command(arguments: list[str]) -> None:
    from PIL import Image

    parser = argparse.ArgumentParser(prog="train motion-decoders-table", description=__doc__)
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--lpips", type=Path, help="folder with lpips_squeeze.ts and squeeze_features.ts")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    load = lambda name: torch.jit.load(str(options.lpips / name)).eval() if options.lpips else None
    judge, features = load("lpips_squeeze.ts"), load("squeeze_features.ts")
    drawn, latents = held_out_clips(options.count, HELD_OUT_START)
    frames = drawn.shape[1]
    rows = [
        f"On {options.count} held-out clips of {frames} frames, 128x128, through the frozen encoder; ms, peak and GMAC: of a "
        f"clip decoded at once, ms and GMAC for each frame; eager PyTorch fp32, threads: {options.threads}, best of "
        f"{options.rounds}. Fréchet: of pooled SqueezeNet features of frames and of their differences. Flicker: mean absolute "
        "difference, of 255, between the changes from frame to frame and the drawn ones.",
        "",
        "| decoder | family | PSNR dB | SSIM | LPIPS | Fréchet | flicker | parameters | GMAC | ms | peak MiB |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    shown = [drawn[:2]]
    for name, (decoder, family) in compared().items():
        raw = FromRaw(decoder, family, shipped_space()[1])
        raw(latents[0])
        peak = peak_mib(lambda: raw(latents[0]))
        made = decoded(raw, latents)
        shown.append(made[:2])
        scores = quality(made.reshape(-1, *made.shape[2:]), drawn.reshape(-1, *drawn.shape[2:]), judge)
        away = f"{distance(features, made, drawn):.2f}" if features else "-"
        unsteady = np.mean([flicker(a, b) for a, b in zip(made, drawn)])
        parameters = sum(p.numel() for p in decoder.parameters())
        rows.append(
            f"| {name} | {family} | {quality_columns(scores)} | {away} | {unsteady:.3f} | {parameters:,} | "
            f"{macs(decoder, latents[0]) / frames / 1e9:.2f} | {fastest(raw, latents[0], options.rounds) / frames:.1f} | {peak:.0f} |"
        )
    folder = runs_folder() / "motion-export"
    folder.mkdir(parents=True, exist_ok=True)
    table = "\n".join(rows) + "\n"
    write_atomically(folder / "decoders_table.md", lambda p: p.write_text(table))
    strips = np.stack(shown, 1).reshape(-1, *drawn.shape[1:])
    write_atomically(folder / "decoders.png", lambda p: Image.fromarray(filmstrips(strips)).save(p, "png"))
    print(table + f"\ndrawn clips, then each decoder: {folder / 'decoders.png'}")

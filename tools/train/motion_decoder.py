"""A decoder of clips against the frozen latents of models/scenes (`python -m train motion-decoder --config CONFIG`).

It starts as the shipped decoder of pictures of its kind, and learns what its neighbours can tell a frame.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.autoencoder import picture_loss, psnr, to_network, to_pictures
from train.motion_latents import ready, shipped_space, stored
from train.motion_world import FRAMES, clip, filmstrips
from train.muon import Muon
from train.runs import OF_SCENES, SHIPPED, Run, averaged_weights, half_precision, runs_folder, training_options, write_atomically
from train.shipped import MOTION, SCENES, shipped_decoder
from train.temporal_decoders import KLTemporalDecoder, TinyTemporalDecoder, start_from_pictures
from train.world import TEST

FAMILIES = {"svd": KLTemporalDecoder, "taming": TinyTemporalDecoder}
MOVING_AT = 0.04  # a pixel moves where it differs by so much (of -1..1) from the clip's first frame


class FromRaw(nn.Module):
    """A decoder for raw latents; some families eat scaled ones."""

    def __init__(self, decoder: nn.Module, family: str, scale: float):
        super().__init__()
        self.decoder, self.scale = decoder, scale if family == "taming" else 1.0

    def forward(self, z: Tensor) -> Tensor:
        return self.decoder(z * self.scale)


def build(config: dict) -> nn.Module:
    return FAMILIES[config["family"]](**config["model"])


def clip_loss(made: Tensor, target: Tensor, config: dict) -> Tensor:
    """Of consecutive frames: as for pictures, with more weight where something moves, and L1 between the changes from
    frame to frame: what stands still must not flicker."""
    moving = ((target - target[:1]).abs().amax(1, keepdim=True) > MOVING_AT).float()
    loss = picture_loss(made, target, 1 + (config["object_weight"] - 1) * moving, config["gradient_weight"])
    return loss + config["change_weight"] * (made.diff(dim=0) - target.diff(dim=0)).abs().mean()


def flicker(made: np.ndarray, wanted: np.ndarray) -> float:
    """Mean absolute difference between the changes from frame to frame of a clip and of what it should be, 0..255."""
    return float(np.abs(np.diff(made.astype(np.float32), axis=0) - np.diff(wanted.astype(np.float32), axis=0)).mean())


@torch.no_grad()
def held_out_clips(count: int, start: int = TEST.start) -> tuple[np.ndarray, list[Tensor]]:
    """Drawn clips [N, T, H, W, 3] and the raw latents of each."""
    encoder = shipped_space()[0].encoder
    drawn = np.stack([clip(seed)[0] for seed in range(start, start + count)])
    return drawn, [encoder(to_network(frames)) for frames in drawn]


@torch.no_grad()
def decoded(decoder: nn.Module, latents: list[Tensor]) -> np.ndarray:
    """Of raw latents of clips."""
    return np.stack([to_pictures(decoder(z)) for z in latents])


def train(config: dict, start: Path | None = None) -> None:
    torch.manual_seed(config["seed"])
    scale = shipped_space()[1]
    decoder = build(config)
    if start:
        decoder.load_state_dict(shipped_decoder(start))
    else:
        start_from_pictures(decoder, shipped_decoder(SCENES / config["start"]))
    optimizer = Muon(decoder.parameters(), lr=config["learning_rate"])
    run = Run(config, decoder, optimizer, SHIPPED if start else OF_SCENES)
    raw = FromRaw(decoder, config["family"], scale)
    averaged = FromRaw(build(config).eval(), config["family"], scale)
    facts = ready()
    frames = stored(facts)["frames"]
    rng = np.random.default_rng([config["seed"], run.step])
    shown, shown_latents = held_out_clips(4)

    def one_step(_: int):
        row, first = int(rng.integers(facts["count"])), int(rng.integers(FRAMES - config["batch"] + 1))
        target = to_network(clip(facts["first_seed"] + row, config["batch"], first=first)[0])
        z = torch.from_numpy(frames[row, first : first + config["batch"]].astype(np.float32))
        z = z + torch.rand(()) * config["latent_noise"] * torch.randn_like(z)
        with half_precision():
            made = raw(z).float()
        loss = clip_loss(made, target, config)
        return loss, {"loss": loss.item(), "psnr": -10 * np.log10(F.mse_loss(made.detach(), target).item() / 4)}

    def evaluate() -> dict:
        from PIL import Image

        averaged.decoder.load_state_dict(run.average.values)
        made = decoded(averaged, shown_latents)
        rows = np.stack([shown, made], 1).reshape(-1, *shown.shape[1:])
        write_atomically(run.folder / "copies.png", lambda path: Image.fromarray(filmstrips(rows)).save(path, "png"))
        scores = [(float(psnr(m, w).mean()), flicker(m, w)) for m, w in zip(made, shown)]
        return {"test_psnr": float(np.mean([s[0] for s in scores])), "flicker": float(np.mean([s[1] for s in scores]))}

    run.train(one_step, evaluate)


def trained(config: dict) -> nn.Module:
    """The averaged weights of the last checkpoint; those that ship where this machine has none."""
    decoder = build(config)
    here = (runs_folder() / config["name"] / "checkpoint.pt").exists()
    decoder.load_state_dict(averaged_weights(config["name"]) if here else shipped_decoder(MOTION / config["start"]))
    return decoder.eval().requires_grad_(False)


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train motion-decoder", description=__doc__)
    parser.add_argument("--start", type=Path, help="shipped weights to go on from, for a run without a checkpoint")
    options, config = training_options(parser, arguments)
    train(config, options.start)

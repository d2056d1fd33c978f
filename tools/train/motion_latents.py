"""Encodes clips of the motion world once, in the latent space of models/scenes (`python -m train motion-latents`).

The folder `motion-latents` then holds memory maps with a row for each seed, and READY.json, whose `count` says how many
rows are filled; it grows while encoding goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np
import torch
from torch import Tensor

from train.autoencoder import to_network
from train.dcae import Autoencoder
from train.motion_world import FRAMES, clip
from train.runs import half_precision, runs_folder, write_atomically
from train.shipped import shipped_autoencoder
from train.world import TRAIN

FOLDER = "motion-latents"
CHUNK = 32
PICTURE = 32  # the side that the picture encoder works at
# Row by row: raw latents of the frames; of the first frame with noise on it; frames a second, motion bucket, that noise;
# the first frame, small.
ROWS = {
    "frames": (np.float16, (FRAMES, 4, 16, 16)),
    "still": (np.float16, (4, 16, 16)),
    "numbers": (np.float32, (3,)),
    "picture": (np.uint8, (3, PICTURE, PICTURE)),
}


def shipped_space() -> tuple[Autoencoder, float]:
    """The shipped autoencoder of models/scenes and the scale of its latents."""
    state = shipped_autoencoder()
    model = Autoencoder(json.loads(state["config"])["model"])
    model.load_state_dict(state["model"])
    return model.eval().requires_grad_(False), state["scaling_factor"]


def ready() -> dict:
    return json.loads((runs_folder() / FOLDER / "READY.json").read_text())


def stored(facts: dict, mode: str = "r") -> dict[str, np.ndarray]:
    """Of the seeds first_seed, first_seed + 1, ...; see ROWS. All of the capacity, filled or not."""
    folder, capacity = runs_folder() / FOLDER, facts["capacity"]
    return {
        name: np.memmap(folder / name, kind, mode if (folder / name).exists() else "w+", shape=(capacity, *shape))
        for name, (kind, shape) in ROWS.items()
    }


def noise_on_picture(generator: torch.Generator) -> float:
    """Standard deviation of a picture's noise, in -1..1: log-normal as Stable Video Diffusion's (arXiv 2311.15127)."""
    return float(torch.exp(-3.0 + 0.5 * torch.randn((), generator=generator)))


def small(picture: Tensor) -> Tensor:
    """[N, 3, H, W] to the picture encoder's [N, 3, PICTURE, PICTURE], by means of squares."""
    return torch.nn.functional.adaptive_avg_pool2d(picture, PICTURE)


@torch.no_grad()
def encode(capacity: int) -> None:
    folder = runs_folder() / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    autoencoder, scale = shipped_space()
    encoder = autoencoder.encoder.to(memory_format=torch.channels_last)
    facts = {"capacity": capacity, "count": 0, "first_seed": TRAIN.start, "scaling_factor": scale}
    if (folder / "READY.json").exists():
        facts = ready()
    rows, began, first = stored(facts, "r+"), time.monotonic(), facts["count"]
    while facts["count"] < facts["capacity"]:
        stop = min(facts["count"] + CHUNK, facts["capacity"])
        for row in range(facts["count"], stop):
            seed = facts["first_seed"] + row
            frames, _, scene_facts = clip(seed)
            generator = torch.Generator().manual_seed(seed)
            noise = noise_on_picture(generator)
            pictures = to_network(frames)
            noisy = pictures[:1] + noise * torch.randn(pictures[:1].shape, generator=generator)
            with half_precision():
                latents = encoder(torch.cat([noisy, pictures])).float()
            rows["still"][row], rows["frames"][row] = latents[0].numpy(), latents[1:].numpy()
            motion = scene_facts["motion"]
            rows["numbers"][row] = motion["fps"], motion["bucket"], noise
            rows["picture"][row] = ((small(pictures[:1])[0] + 1) * 127.5).round().numpy()
        for values in rows.values():
            values.flush()
        facts["count"] = stop
        write_atomically(folder / "READY.json", lambda p: p.write_text(json.dumps(facts, indent=2) + "\n"))
        rate = (stop - first) / (time.monotonic() - began)
        print(f"{stop} of {facts['capacity']} clips, {rate:.1f}/s", file=sys.stderr)


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train motion-latents", description=__doc__)
    parser.add_argument("--capacity", type=int, default=12288)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    encode(options.capacity)

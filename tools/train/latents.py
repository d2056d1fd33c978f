"""Freezes the latent space and encodes training pictures once (`python -m train scenes-latents`).

The folder `scenes-latents` then holds the frozen autoencoder, a float16 memory map of raw latents by seed, and
READY.json, whose `count` says how many rows are filled; it grows while encoding goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np
import torch

from train.autoencoder import to_network
from train.dcae import Autoencoder
from train.runs import half_precision, runs_folder, write_atomically
from train.shipped import shipped_autoencoder
from train.world import TRAIN, batches

FOLDER = "scenes-latents"
CHUNK = 512


def freeze(run: str = "scenes-autoencoder") -> None:
    """Keeps the averaged weights of the last checkpoint as the autoencoder of this latent space, once and for all; the
    shipped one where there is no checkpoint, so that a denoiser goes on in the space it was trained in."""
    folder = runs_folder() / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = runs_folder() / run / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        frozen = {key: state[key] for key in ("config", "step", "seconds")} | {"model": state["average"]}
    else:
        frozen = shipped_autoencoder()
    write_atomically(folder / "autoencoder.pt", lambda path: torch.save(frozen, path))


def frozen_state() -> dict:
    return torch.load(runs_folder() / FOLDER / "autoencoder.pt", weights_only=True)


def frozen_autoencoder() -> Autoencoder:
    state = frozen_state()
    model = Autoencoder(json.loads(state["config"])["model"])
    model.load_state_dict(state["model"])
    return model.eval().requires_grad_(False)


def ready() -> dict:
    return json.loads((runs_folder() / FOLDER / "READY.json").read_text())


def stored_latents(facts: dict) -> np.ndarray:
    """Raw latents [count, 4, side, side] of the seeds first_seed, first_seed + 1, ..."""
    shape = (facts["capacity"], facts["channels"], facts["side"], facts["side"])
    return np.memmap(runs_folder() / FOLDER / facts["file"], np.float16, "r", shape=shape)[: facts["count"]]


@torch.no_grad()
def encode(capacity: int, batch: int = 16) -> None:
    folder = runs_folder() / FOLDER
    encoder = frozen_autoencoder().encoder.to(memory_format=torch.channels_last)
    if (folder / "READY.json").exists():
        facts = ready()
    else:
        facts = {
            "file": "latents.f16",
            "capacity": capacity,
            "count": 0,
            "channels": 4,
            "side": 16,
            "scaling_factor": 1.0,
            "shift_factor": 0.0,
            "first_seed": TRAIN.start,
            "autoencoder": "autoencoder.pt",
        }
    path, shape = folder / facts["file"], (facts["capacity"], 4, 16, 16)
    rows = np.memmap(path, np.float16, "r+" if path.exists() else "w+", shape=shape)
    data = batches(facts["first_seed"] + facts["count"], batch)
    began, first = time.monotonic(), facts["count"]
    known_scale = frozen_state().get("scaling_factor")
    while facts["count"] < facts["capacity"]:
        stop = min(facts["count"] + CHUNK, facts["capacity"])
        for i in range(facts["count"], stop, batch):
            with half_precision():
                latents = encoder(to_network(next(data)[0])).float()
            rows[i : i + batch] = latents.numpy()[: facts["capacity"] - i]
        rows.flush()
        if first == facts["count"] == 0:
            facts["scaling_factor"] = known_scale or round(1 / float(rows[:stop].astype(np.float32).std()), 5)
        facts["count"] = stop
        write_atomically(folder / "READY.json", lambda p: p.write_text(json.dumps(facts, indent=2) + "\n"))
        rate = (stop - first) / (time.monotonic() - began)
        print(
            f"{stop} of {capacity} latents, {rate:.0f}/s, {(facts['capacity'] - stop) / rate / 60:.0f} min left",
            file=sys.stderr,
        )


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train scenes-latents", description=__doc__)
    parser.add_argument("--capacity", type=int, default=98304)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    if not (runs_folder() / FOLDER / "autoencoder.pt").exists():
        freeze()
    encode(options.capacity)

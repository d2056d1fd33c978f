"""Speech to train on: a folder of recordings, one file a speaker, kept as one array of 16-bit samples at 16 kHz."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from train.runs import runs_folder, write_atomically

RATE = 16000
HELD_OUT_EVERY = 9  # of the speakers, in the order of their names: never trained on


def speakers(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files to train on, and those held out."""
    files = sorted(path for path in folder.iterdir() if path.suffix in (".flac", ".wav"))
    if len(files) < HELD_OUT_EVERY:
        raise SystemExit(f"{folder}: expected recordings of {HELD_OUT_EVERY} speakers or more (flac, wav), found {len(files)}")
    held_out = files[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]
    return [path for path in files if path not in held_out], held_out


def read(path: Path) -> np.ndarray:
    """[n] int16, mono, 16 kHz."""
    import soundfile

    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    if rate != RATE or samples.shape[1] != 1:
        raise SystemExit(f"{path}: expected one channel at {RATE} Hz, found {samples.shape[1]} at {rate}")
    return samples[:, 0]


def stored(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """All training recordings behind each other, and where each begins; kept beside the runs."""
    files, _ = speakers(folder)
    cache = runs_folder() / "speech-sounds"
    cache.mkdir(parents=True, exist_ok=True)
    names = json.dumps([path.name for path in files])
    if not (cache / "names.json").exists() or (cache / "names.json").read_text() != names:
        recordings = [read(path) for path in files]
        starts = np.cumsum([0] + [len(r) for r in recordings])
        write_atomically(cache / "samples.npy", lambda part: _save(part, np.concatenate(recordings)))
        write_atomically(cache / "starts.npy", lambda part: _save(part, starts))
        write_atomically(cache / "names.json", lambda part: part.write_text(names))
    return np.load(cache / "samples.npy", mmap_mode="r"), np.load(cache / "starts.npy")


def _save(path: Path, array: np.ndarray) -> None:
    with open(path, "wb") as file:
        np.save(file, array)


class Excerpts:
    """Random excerpts [batch, samples] in -1 … 1, of random loudness."""

    def __init__(self, folder: Path, batch: int, samples: int, seed: int):
        self.sounds, self.starts = stored(folder)
        self.batch, self.samples = batch, samples
        self.random = random.Random(seed)

    def __call__(self) -> Tensor:
        rows = []
        for _ in range(self.batch):
            begin = self.random.randrange(len(self.sounds) - self.samples)
            x = torch.from_numpy(self.sounds[begin : begin + self.samples].astype(np.float32)) / 32768
            gain = 10 ** (self.random.uniform(-12, 6) / 20)
            rows.append(x * min(gain, 0.99 / max(x.abs().max().item(), 1e-3)))
        return torch.stack(rows)

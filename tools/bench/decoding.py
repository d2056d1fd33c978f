"""One decoder on one file of latents, as `lightswitch decode` runs it: its pictures, its time, its memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy
import torch

from bench.contender import Contender
from bench.program import Program, stage

START_UPS = 2  # of which the quickest counts


class Decoding(Contender):
    def __init__(self, program: Program, latents: Path, decoder: str, folder: Path, options: Sequence[str] = ()) -> None:
        """@param decoder a SPEC. @param folder for its pictures, made here."""
        folder.mkdir(parents=True)
        self.program, self.folder = program, folder
        self.words = ["decode", latents, "--decoder", decoder, *options, "-o", folder / "%04d.npy"]
        self.start_up: float | None = None
        self.peak: float | None = None

    def run(self, calls: int) -> dict:
        report = self.program.report(*self.words, "--repeat", str(calls))
        if calls == 1:
            self.peak = report["peak_bytes"] / 2**20
        return report

    def pictures(self) -> torch.Tensor:
        self.run(1)
        return self.kept()

    def kept(self) -> torch.Tensor:
        """What the last call wrote."""
        return torch.stack([torch.from_numpy(numpy.load(file)) for file in sorted(self.folder.iterdir())])

    def ms(self, calls: int, clock: str) -> float:
        if clock == "wall":
            return min(stage(self.run(calls + 1), "decode")["ms_all"][1:])
        if self.start_up is None:  # loading, the first call and writing
            self.start_up = min(self.processor_ms(1) for _ in range(START_UPS))
        return max(self.processor_ms(calls + 1) - self.start_up, 0.001) / calls

    def processor_ms(self, calls: int) -> float:
        self.run(calls)
        return self.program.processor_ms

    def peak_mib(self) -> float:
        """Of a process that decodes once."""
        if self.peak is None:
            self.run(1)
        return self.peak

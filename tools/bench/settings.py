"""What `paper1`, `paper2` and `all` are asked for on the command line."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bench import CORES, machine
from bench.budget import Budget
from bench.document import Section
from bench.program import BUILT, Program

BEGAN = time.monotonic()
JUDGES = Path("models", "lpips")


@dataclass(frozen=True)
class Settings:
    program: Program
    dtype: str
    clock: str
    rounds: int
    quick: bool
    budget: Budget
    scratch: Path
    """An empty folder, removed afterwards."""
    data: Path | None
    lpips: Path | None
    features: Path | None
    commands: tuple[str, ...]

    def source(self) -> list[str]:
        of = "processor time" if self.clock == "cpu" else "time on the wall"
        return [machine.described(machine.facts()), f"threads: {self.program.threads}, {self.dtype}, {of}", *self.commands]

    def folder(self, name: str) -> Path:
        """A new one in `scratch`."""
        found = self.scratch / name
        found.mkdir(parents=True)
        return found

    def within(self, seconds: float, name: str) -> Settings:
        """For one section."""
        return replace(self, budget=self.budget.part(seconds), scratch=self.folder(name))


def say(text: str) -> None:
    """Progress."""
    print(f"[{time.monotonic() - BEGAN:6.1f} s] {text}", file=sys.stderr, flush=True)


def in_time(settings: Settings, title: str, measure: Callable[[], Section]) -> Section:
    """A section, or that there was no time left for it."""
    if settings.budget.allows(1):
        return measure()
    return Section(title, settings.source(), ["Left out: the time was up."])


def usual_dtype() -> str:
    """What the program computes in without being told."""
    return "bf16" if {"avx512_bf16", "amx_bf16"} & set(machine.instructions()) else "fp32"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="gets index.html, tables.md and run.json")
    parser.add_argument("--quick", action="store_true", help="fewer pictures, fewer rounds, no sizes that take minutes")
    parser.add_argument("--minutes", type=float, help="after so long the rest is left out and named")
    parser.add_argument("--rounds", type=int, help="paired rounds (7; with --quick 2)")
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default=usual_dtype())
    parser.add_argument("--threads", type=int, default=len(CORES))
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="cpu: processor time, one thread, for a busy machine")
    parser.add_argument("--program", type=Path, default=BUILT)
    parser.add_argument("--data", type=Path, help="photographs, clips, weights, judges (default: $LIGHTSWITCH_DATA)")
    parser.add_argument("--lpips", type=Path, help="TorchScript judge (default: lpips_squeeze.ts of the data)")
    parser.add_argument(
        "--features", type=Path, help="TorchScript feature network of Fréchet distances (default: squeeze_features.ts of the data)"
    )


def settings_of(parser: argparse.ArgumentParser, options: argparse.Namespace, scratch: Path) -> Settings:
    """@throws ProgramFailed where the program was not built."""
    if options.clock == "cpu" and options.threads != 1:
        parser.error("--clock cpu counts one thread: add --threads 1")
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds: at least 1")
    data = options.data or (Path(os.environ["LIGHTSWITCH_DATA"]) if os.environ.get("LIGHTSWITCH_DATA") else None)
    for name, path in (("--data", options.data), ("--lpips", options.lpips), ("--features", options.features)):
        if path and not path.exists():
            parser.error(f"{name}: {path}: not there")

    def judge(given: Path | None, name: str) -> Path | None:
        usual = data / JUDGES / name if data else None
        return given or (usual if usual and usual.is_file() else None)

    return Settings(
        Program(options.program, options.threads),
        options.dtype,
        options.clock,
        options.rounds or (2 if options.quick else 7),
        options.quick,
        Budget(options.minutes and 60 * options.minutes, options.clock),
        scratch,
        data,
        judge(options.lpips, "lpips_squeeze.ts"),
        judge(options.features, "squeeze_features.ts"),
        (machine.command_line(),),
    )

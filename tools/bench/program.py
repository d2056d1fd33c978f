"""The built `lightswitch`, called as users call it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from pathlib import Path

from bench import CORES
from bench.machine import ROOT

BUILT = ROOT / "build" / "release" / "bin" / "lightswitch"


# Linux counts what a process held before it became another program into its peak: the program must not start out of a large one.
IN_BETWEEN = ["sh", "-c", '"$@"; exit $?', "sh"]


class ProgramFailed(Exception):
    """The command, its exit code and what it said."""


class Program:
    def __init__(self, path: Path, threads: int) -> None:
        if not os.access(path, os.X_OK):
            raise ProgramFailed(f"{path}: not there; build the target lightswitch")
        self.path, self.threads = path, threads
        self.processor_ms = 0.0
        """Of the last call, all of it."""

    def report(self, *words: str | Path) -> dict:
        """What a command says with --json."""
        command = [str(self.path), *map(str, words), "-q", "--json", "-"]
        if words[0] != "codec":  # which runs in one thread
            command += ["-t", str(self.threads)]
        spent = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) * 1e3  # noqa: E731
        before = spent()
        process = subprocess.run([*IN_BETWEEN, *command], capture_output=True, text=True, preexec_fn=lambda: os.sched_setaffinity(0, CORES))
        self.processor_ms = spent() - before
        if process.returncode:
            raise ProgramFailed(f"{' '.join(command)}: exit {process.returncode}: {process.stderr.strip()[-600:]}")
        return json.loads(process.stdout)


def stage(report: dict, name: str) -> dict:
    """One entry of a report's stages."""
    return next(one for one in report["stages"] if one["name"] == name)

"""The benchmark binaries of a build, one benchmark at a time for as long as there is time, as one run each."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from bench import machine
from bench.binary_runs import plain_name, section_of_binary
from bench.document import Section
from bench.program import ProgramFailed
from bench.settings import Settings, say

QUICK = {
    "bench_decoders": "/256/{dtype}/",
    "bench_end_to_end": "/4/{dtype}",
    "bench_batch": "/4$",
    "bench_load": "fp16/{dtype}/",
    "bench_tiles": "(efficientvit|taesd)/64/{dtype}/",
    "bench_codec": "codec/(encoder|quantizer|heavy|light)/50/",
    "bench_image_files": "png/(1|6)$|jpg|webp",
    "bench_video": "(tae-192|taesdv)/256x256/8/{dtype}/",
}
"""Which of a binary's benchmarks a quick run takes; of others all."""
QUICK_WORDS = ["--benchmark_repetitions=3", "--benchmark_min_time=0.1"]


def call(settings: Settings, binary: Path, words: list[str], timeout: float | None = None) -> str:
    """Its standard output. @throws ProgramFailed, subprocess.TimeoutExpired."""
    process = subprocess.run(
        [binary, *words],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=os.environ | {"OMP_NUM_THREADS": str(settings.program.threads)},
    )
    if process.returncode:
        raise ProgramFailed(f"{binary.name} {' '.join(words)}: exit {process.returncode}: {process.stderr.strip()[-300:]}")
    return process.stdout


def run_of(settings: Settings, binary: Path) -> dict:
    pattern = QUICK.get(binary.name, "").format(dtype=settings.dtype) if settings.quick else ""
    words = [f"--benchmark_filter={pattern or '.'}", *(QUICK_WORDS if settings.quick else [])]
    run: dict = {
        "context": {"executable": binary.name},
        "machine": machine.facts(),
        "benchmarks": [],
        "skipped": {},
        "commands": [f"`{binary.name} {' '.join(words)}`, one benchmark at a time"],
    }
    out, last = settings.scratch / f"{binary.name}.json", 0.0
    for name in call(settings, binary, [words[0], "--benchmark_list_tests=true"]).split():
        if not settings.budget.allows(last):
            run["skipped"][plain_name(name)] = "the time was up"
            continue
        say(name)
        began = settings.budget.now()
        try:
            call(
                settings,
                binary,
                [f"--benchmark_filter=^{re.escape(name)}$", *words[1:], f"--benchmark_out={out}", "--benchmark_out_format=json"],
                settings.budget.timeout(),
            )
        except subprocess.TimeoutExpired:
            run["skipped"][plain_name(name)] = "took longer than there was time"
            continue
        one = json.loads(out.read_text())
        run["context"] = one["context"] | run["context"]
        run["benchmarks"] += one["benchmarks"]
        last = settings.budget.now() - began
    return run


def built(settings: Settings) -> list[Path]:
    """Those beside the program."""
    return sorted(path for path in settings.program.path.parent.glob("bench_*") if os.access(path, os.X_OK))


def section(settings: Settings, binary: Path) -> Section:
    return section_of_binary(run_of(settings, binary), binary.name)

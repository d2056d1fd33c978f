"""The regression gate: is B slower than A? (`python -m bench compare A B`)

A and B are two runs (JSON of `bench peers`, or of a benchmark binary with --benchmark_report_aggregates_only=false), or two build folders,
whose binaries are then run in paired rounds (ABBA). Exit 0: no slow-down. 1: a benchmark of B is slower by more than --threshold, and the
95 % interval of its ratio lies above 1. 2: the two could not be compared, among them a benchmark that only one of them has.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.rounds import Ratio, abba_groups, paired_ratio, unpaired_ratio

Figures = dict[str, list[float]]
LEAST_FIGURES = 5  # fewer prove nothing


class NotComparable(Exception):
    """What was expected and what was found."""


def figures_of_peers(run: dict) -> Figures:
    return {
        f"{one['decoder']}/{one['width']}x{one['height']}/{one['frames']}/{name}": contender["ms"]
        for one in run["results"]
        for name, contender in one["contenders"].items()
    }


def figures_of_benchmarks(run: dict, file: str) -> Figures:
    """Google Benchmark's own JSON."""
    figures: Figures = {}
    for one in run["benchmarks"]:
        if one.get("error_occurred"):
            raise NotComparable(f"{file}: {one['name']} failed: {one.get('error_message')}")
        if one["run_type"] == "iteration":
            figures.setdefault(one["run_name"], []).append(one["real_time"])
    if not figures:
        raise NotComparable(f"{file}: single repetitions expected, found none; run with --benchmark_report_aggregates_only=false")
    return figures


def read_run(file: Path) -> Figures:
    try:
        run = json.loads(file.read_text())
        if not isinstance(run, dict):
            raise NotComparable(f"{file}: a run expected, found another JSON value")
        if run.get("kind") == "peers":
            return figures_of_peers(run)
        if "benchmarks" in run:
            return figures_of_benchmarks(run, str(file))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotComparable(f"{file}: not a readable run: {error!r}") from error
    raise NotComparable(f"{file}: a run of `bench peers` or of a benchmark binary expected")


def run_binary(build: Path, binary: str, pattern: str) -> dict[str, float]:
    """The fastest of three repetitions of every benchmark."""
    program = build / "bin" / binary
    if not os.access(program, os.X_OK):
        raise NotComparable(f"{program}: not there; build the target {binary}")
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        process = subprocess.run(
            [str(program), f"--benchmark_filter={pattern}", "--benchmark_repetitions=3",
             "--benchmark_report_aggregates_only=false", f"--benchmark_out={out.name}", "--benchmark_out_format=json"],
            capture_output=True, text=True)  # fmt: skip
        if process.returncode:
            raise NotComparable(f"{program}: exit {process.returncode}: {process.stderr.strip()[-300:]}")
        return {name: min(times) for name, times in read_run(Path(out.name)).items()}


def same_names(a: Figures, b: Figures) -> None:
    if alone := sorted(set(a) ^ set(b)):
        raise NotComparable(f"the same benchmarks expected on both sides, found on one alone: {', '.join(alone)}")


def ratios(options: argparse.Namespace) -> dict[str, Ratio]:
    """B's time over A's."""
    a, b = options.a, options.b
    if a.is_dir() and b.is_dir():
        sides = abba_groups(
            {"A": lambda: run_binary(a, options.binary, options.filter), "B": lambda: run_binary(b, options.binary, options.filter)},
            options.rounds,
        )
        same_names(sides["A"], sides["B"])
        return {name: paired_ratio(sides["B"][name], sides["A"][name]) for name in sides["A"]}
    first, second = read_run(a), read_run(b)
    same_names(first, second)
    for name in first:
        if (least := min(len(first[name]), len(second[name]))) < LEAST_FIGURES:
            raise NotComparable(f"{name}: at least {LEAST_FIGURES} figures a side expected, found {least}")
    return {name: unpaired_ratio(second[name], first[name]) for name in first}


def slower(ratio: Ratio, threshold: float) -> bool:
    return ratio.low > 1 and ratio.median > 1 + threshold


def command(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a", type=Path, metavar="A")
    parser.add_argument("b", type=Path, metavar="B")
    parser.add_argument("--threshold", type=float, default=0.03, help="a slow-down that does not matter (0.03: 3 %%)")
    parser.add_argument("--rounds", type=int, default=7, help="of two builds")
    parser.add_argument("--binary", default="bench_decoders", help="of two builds")
    parser.add_argument("--filter", default="/512/", help="of two builds: which benchmarks, a regular expression")
    options = parser.parse_args(arguments)
    if options.rounds < LEAST_FIGURES:
        parser.error(f"--rounds: at least {LEAST_FIGURES}")
    try:
        found = ratios(options)
    except NotComparable as reason:
        print(f"bench compare: {reason}", file=sys.stderr)
        return 2
    print("| benchmark | B's time by A's | |\n|---|---|---|")
    for name, ratio in found.items():
        print(f"| {name} | {ratio:.3f} | {'slower' if slower(ratio, options.threshold) else ''} |")
    return 1 if any(slower(ratio, options.threshold) for ratio in found.values()) else 0

"""Runs as one page of tables and charts, and as Markdown (`python -m bench report RUN.json … -o DIR`).

A run is JSON of a benchmark binary (--benchmark_out=FILE), of `peers --json`, or the run.json of `paper1`, `paper2` and `all`. DIR gets
index.html, which needs no other file, tables.md, and run.json, which `report` reads again.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bench import page
from bench.binary_runs import section_of_binary
from bench.document import KIND, BadRun, Document, Section, sections_of
from bench.peer_runs import section_of_peers


def sections_in(file: Path) -> list[Section]:
    try:
        run = json.loads(file.read_text())
    except OSError as error:
        raise BadRun(f"{file}: a run expected, found none: {error.strerror}") from error
    except ValueError as error:
        raise BadRun(f"{file}: JSON expected: {error}") from error
    try:
        if run.get("kind") == KIND:
            return list(sections_of(run))
        if run.get("kind") == "peers":
            return [section_of_peers(run)]
        if "benchmarks" in run:
            return [section_of_binary(run, file.stem)]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadRun(f"{file}: not a complete run: {error!r}") from error
    raise BadRun(f"{file}: JSON of a benchmark binary, of `bench peers`, or of another `bench` command expected")


def command(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN.json")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--title", default="lightswitch, measured")
    options = parser.parse_args(arguments)
    try:
        found = Document(options.title, [section for file in options.runs for section in sections_in(file)])
    except BadRun as reason:
        print(f"bench report: {reason}", file=sys.stderr)
        return 1
    page.publish(found, options.output)
    print(options.output / "index.html")
    return 0

"""A command that measures sections and publishes them, or says why it cannot."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import page
from bench.agreement import WrongAnswer
from bench.document import BadRun, Document, Section
from bench.pictures import BadData
from bench.program import ProgramFailed
from bench.settings import Settings, settings_of

FAILURES = (BadData, BadRun, ProgramFailed, WrongAnswer)
INTERRUPTED = 130


def run(parser: argparse.ArgumentParser, options: argparse.Namespace, title: str, measure: Callable[[Settings], Sequence[Section]]) -> int:
    """The exit code. Without a page there is no file."""
    try:
        with tempfile.TemporaryDirectory() as scratch:
            sections = list(measure(settings_of(parser, options, Path(scratch))))
        page.publish(Document(title, sections), options.output)
    except FAILURES as reason:
        print(f"{parser.prog}: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted, nothing written", file=sys.stderr)
        return INTERRUPTED
    print(options.output / "index.html")
    return 0

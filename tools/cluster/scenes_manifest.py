#!/usr/bin/env python3
"""Prints a manifest of captions that the shipped model `scenes` can draw, none of which it was trained on.

    scenes_manifest.py COUNT [--start N] > scenes.jsonl        # needs NumPy

The line of a number is always the same, so a longer manifest begins with the shorter one.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from train.world import TEST, plan  # noqa: E402


def line(number):
    """JSON of the line `number`, from 0: id, prompt, and a seed of its own."""
    _, caption, _ = plan(TEST.start + number)
    return json.dumps({"id": f"scene-{number:07d}", "prompt": caption, "seed": number})


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("count", type=int, help="lines")
    parser.add_argument("--start", type=int, default=0, metavar="N", help="number of the first one (default: 0)")
    given = parser.parse_args(arguments)
    for number in range(given.start, given.start + given.count):
        print(line(number))


if __name__ == "__main__":
    main()

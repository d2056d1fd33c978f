"""The table of arXiv 2404.04405 remade, each figure beside the paper's (`python -m bench paper2 -o DIR`).

The light share, 0 to 100 %, against quality, multiply-adds, parameters and latency: of the codec (--codec, else models/speech, else random
weights, which have no quality), of whole pictures by a real pair of models/scenes (--gate, else one is fitted), and of a routed decoder
(--routed, else the shipped one). What is not there is said in its table.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_PROC_BIND", "true")

from bench import codec_section, routed_section  # noqa: E402
from bench.command import run  # noqa: E402
from bench.document import Section  # noqa: E402
from bench.published import PAPER2, Claims  # noqa: E402
from bench.settings import Settings, add_options, in_time  # noqa: E402
from train.shipped import SCENES  # noqa: E402

NOTES = [
    "The paper's 12.3x and 20.9x compare the light way with the heavy one for a sample that is routed. At 80 % light its mean cannot be that: even a "
    "free light way would give 5x; by its own figures it is 1 / (0.2 + 0.8 / 12.3) = 3.8x. Both are shown, neither stands for the other."
]
SHIPPED_ROUTED = SCENES / "routed.safetensors"


def sections(settings: Settings, codec: Path | None, routed: Path | None, gate: Path | None) -> list[Section]:
    claims = Claims()
    routed = routed or (SHIPPED_ROUTED if SHIPPED_ROUTED.is_file() else None)
    of_codec, rest = settings.within(settings.budget.left() / 2, "codec"), settings.within(settings.budget.left(), "pictures")
    found = [
        in_time(of_codec, codec_section.TITLE, lambda: codec_section.section(of_codec, claims, codec)),
        in_time(rest, routed_section.OF_PAIR, lambda: routed_section.pair_section(rest, claims, gate)),
        in_time(rest, routed_section.OF_TILES, lambda: routed_section.routed_section(rest, claims, routed)),
    ]
    return [
        Section(f"{PAPER2}: the paper's figures beside ours", settings.source(), [], [claims.table(f"{PAPER2} and ours", NOTES)]),
        *found,
    ]


def add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--codec", type=Path, metavar="DIR", help="a model of the codec, as `lightswitch codec -m` takes it")
    parser.add_argument("--routed", type=Path, metavar="FILE", help="a routed decoder of models/scenes' space")
    parser.add_argument("--gate", type=Path, metavar="FILE", help="for the pair, as `train gate` writes it")


def check_model_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    for name, path in (("--routed", options.routed), ("--gate", options.gate)):
        if path and not path.is_file():
            parser.error(f"{name}: {path}: not there")


def command(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench paper2", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    add_model_options(parser)
    options = parser.parse_args(arguments)
    check_model_options(parser, options)
    return run(parser, options, f"{PAPER2}, remade", lambda settings: sections(settings, options.codec, options.routed, options.gate))

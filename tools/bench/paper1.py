"""The table of arXiv 2503.04871 remade, each figure beside the paper's (`python -m bench paper1 -o DIR`).

models/scenes on held-out drawings of 256, 512 and 1024 pixels (time, memory, PSNR, SSIM, LPIPS, Fréchet distance), models/motion on clips
of eight frames, the share of the decoder end to end, the paper's own architectures at full size (time and memory), and photographs and
clips of yours: --coco takes a folder with pictures and captions.json (or annotations/*.json), --ucf one of class folders of avi files;
without them those of $LIGHTSWITCH_DATA. They go through TAEF2, where the data has it, and through models/scenes; --encoder and --decoder
take your own.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_PROC_BIND", "true")

from bench import drawings_section, end_to_end_section, full_size_section, motion_section, photographs_section  # noqa: E402
from bench.command import run  # noqa: E402
from bench.document import Section  # noqa: E402
from bench.published import PAPER1, Claims  # noqa: E402
from bench.settings import Settings, add_options  # noqa: E402
from bench.spaces import SCENES_SPACE, Space, published_space, users_space  # noqa: E402

NOTES = [
    "Ratios: of times and memory the full decoder's figure by the light one's, of qualities the light one's by the full one's. The paper "
    "measured on one GPU, on photographs, with Inception; this is another machine, other pictures, other features: what can be compared "
    "is the ratios."
]
SHARES = {"drawings": 0.45, "motion": 0.1, "end to end": 0.15, "full size": 0.6}  # of the time that is left, in this order


def sections(settings: Settings, spaces: Sequence[Space], coco: Path | None, ucf: Path | None) -> list[Section]:
    claims = Claims()
    within = lambda name: settings.within(SHARES[name] * settings.budget.left(), name)  # noqa: E731
    found = [
        drawings_section.section(within("drawings"), claims),
        motion_section.section(within("motion"), claims),
        end_to_end_section.section(within("end to end"), claims),
        full_size_section.section(within("full size"), claims),
        photographs_section.section(settings.within(settings.budget.left(), "photographs"), list(spaces), coco, ucf),
    ]
    table = claims.table(f"{PAPER1} and ours", NOTES)
    return [Section(f"{PAPER1}: the paper's figures beside ours", settings.source(), [], [table]), *found]


def add_data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--coco", type=Path, metavar="DIR", help="photographs: pictures and captions.json or annotations/*.json")
    parser.add_argument("--ucf", type=Path, metavar="DIR", help="clips: a folder of avi files for every class")
    parser.add_argument("--encoder", metavar="SPEC", help="of the photographs and clips, as `lightswitch encode` takes it")
    parser.add_argument("--decoder", metavar="SPEC", action="append", help="of its space, the full one first; repeat for more")


def check_data_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if bool(options.encoder) != bool(options.decoder):
        parser.error("--encoder and --decoder go together")
    for name, folder in (("--coco", options.coco), ("--ucf", options.ucf)):
        if folder and not folder.is_dir():
            parser.error(f"{name}: {folder}: a folder expected, found none")


def spaces_of(options: argparse.Namespace, data: Path | None) -> list[Space]:
    if options.encoder:
        return [users_space(options.encoder, options.decoder)]
    return [space for space in (published_space(data), SCENES_SPACE) if space]


def command(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench paper1", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    add_data_options(parser)
    options = parser.parse_args(arguments)
    check_data_options(parser, options)
    return run(
        parser,
        options,
        f"{PAPER1}, remade",
        lambda settings: sections(settings, spaces_of(options, settings.data), options.coco, options.ucf),
    )

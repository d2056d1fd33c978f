"""One page with all of it: the benchmark binaries of the build, `peers`, `paper1`, `paper2` (`python -m bench all --quick -o DIR`).

--quick takes less than 15 minutes on two cores; what there is no time for is named on the page. --full takes hours.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable

os.environ.setdefault("OMP_PROC_BIND", "true")

from bench import binaries, machine, paper1, paper2, peers  # noqa: E402
from bench.cases import DECODERS, Case  # noqa: E402
from bench.command import FAILURES, run  # noqa: E402
from bench.document import Section  # noqa: E402
from bench.peer_runs import section_of_peers  # noqa: E402
from bench.settings import Settings, add_options, say  # noqa: E402
from bench.spaces import Space  # noqa: E402

QUICK_MINUTES = 13.0
SHARES = {"paper1": 0.5, "paper2": 0.35, "binaries": 0.6}  # of the time that is left, in this order; the peers have the rest
QUICK_PEERS = {"decoders": ["taesd", "efficientvit"], "peers": ["eager"], "size": 256}
FULL_PEERS = {"decoders": list(DECODERS), "peers": list(peers.PEERS), "size": 512}


def peers_section(settings: Settings) -> Section:
    chosen = QUICK_PEERS if settings.quick else FULL_PEERS
    options = argparse.Namespace(
        threads=settings.program.threads, dtype=[settings.dtype], peer=chosen["peers"], clock=settings.clock, rounds=settings.rounds
    )
    found = {
        "kind": "peers",
        "machine": machine.facts(),
        "commands": list(settings.commands),
        "threads": options.threads,
        "clock": options.clock,
        "results": [],
    }
    left_out, last = [], 0.0
    for name in chosen["decoders"]:
        if not settings.budget.allows(last):
            left_out.append(name)
            continue
        say(f"peers: {name}")
        began = settings.budget.now()
        folder = settings.folder(f"peers-{name}")
        found["results"].append(peers.measure(Case(name, (chosen["size"],) * 2, 0, folder), options, settings.program, folder))
        last = settings.budget.now() - began
    section = section_of_peers(found)
    section.text += [f"Left out, the time was up: {', '.join(left_out)}."] if left_out else []
    return section


def sections(settings: Settings, options: argparse.Namespace, spaces: list[Space], failed: list[str]) -> list[Section]:
    """@param failed gets the name of every part that could not be measured: the page says why."""
    found: list[Section] = []

    def part(name: str, share: float, measure: Callable[[Settings], Iterable[Section]]) -> None:
        within = settings.within(share * settings.budget.left(), name)
        try:
            found.extend(measure(within))
        except FAILURES as reason:
            failed.append(name)
            found.append(Section(name, settings.source(), [f"Failed: {reason}"]))

    part("paper1", SHARES["paper1"], lambda within: paper1.sections(within, spaces, options.coco, options.ucf))
    part("paper2", SHARES["paper2"], lambda within: paper2.sections(within, options.codec, options.routed, options.gate))
    built = binaries.built(settings)
    for place, binary in enumerate(built):
        share = SHARES["binaries"] / (len(built) - place * SHARES["binaries"])
        part(binary.name, share, lambda within, binary=binary: [binaries.section(within, binary)])
    part("peers", 1, lambda within: [peers_section(within)])
    return found


def command(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench all", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--full", action="store_true", help="all sizes, all benchmarks, many pictures")
    paper1.add_data_options(parser)
    paper2.add_model_options(parser)
    options = parser.parse_args(arguments)
    if options.quick == options.full:
        parser.error("one of --quick and --full")
    paper1.check_data_options(parser, options)
    paper2.check_model_options(parser, options)
    if options.quick and options.minutes is None:
        options.minutes = QUICK_MINUTES
    failed: list[str] = []
    measure = lambda settings: sections(settings, options, paper1.spaces_of(options, settings.data), failed)  # noqa: E731
    code = run(parser, options, "lightswitch, measured", measure)
    if failed:
        print(f"{parser.prog}: failed, as the page says: {', '.join(failed)}", file=sys.stderr)
    return code or int(bool(failed))

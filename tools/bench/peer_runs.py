"""A run of `bench peers` as a section: who is how much faster, and closeness to fp32 against time."""

from __future__ import annotations

from bench import machine
from bench.document import MISSING, Points, Section, Table, number
from bench.rounds import Ratio

EQUAL = 999.0  # decibels, where nothing differs


def shown(result: dict) -> str:
    return f"{result['decoder']}, {result['width']}x{result['height']}" + (f", {result['frames']} frames" if result["frames"] else "")


def table_of(result: dict) -> Table:
    columns = ["contender", "best ms", "ours is faster by", "PSNR dB"]
    eight_bits = ["ours-int8 is faster by"] if "ours-int8" in result["contenders"] else []
    rows = []
    for name, one in result["contenders"].items():
        quality = "equal" if one["psnr"] == EQUAL else f"{one['psnr']:.1f}"
        ratios = [written(one.get(kind)) for kind in ["ratio", *(["int8_ratio"] if eight_bits else [])]]
        rows.append([name, number(min(one["ms"]), ".1f"), ratios[0], quality, *ratios[1:]])
    for name, reason in result["absent"].items():
        rows.append([name, f"not timed: {reason}", *[MISSING] * (2 + len(eight_bits))])
    return Table(shown(result), columns + eight_bits, rows)


def written(ratio: dict | None) -> str:
    return format(Ratio(**ratio)) if ratio else ""


def section_of_peers(run: dict) -> Section:
    of_what = "processor time" if run["clock"] == "cpu" else "time on the wall"
    source = [machine.described(run["machine"]), f"threads: {run['threads']}, {of_what}", *run.get("commands", [])]
    section = Section(
        "Beside their peers",
        source,
        [
            "The same random weights and latents for all, outputs compared with eager fp32's first. A ratio is the peer's time over ours in "
            "the same dtype and round: the median, and the 95 % interval of a bootstrap."
        ],
    )
    for result in run["results"]:
        section.tables.append(table_of(result))
        points = [(name, min(one["ms"]), one["psnr"]) for name, one in result["contenders"].items() if one["psnr"] < EQUAL]
        if points:
            section.charts.append(Points(f"{shown(result)}: closeness to eager fp32 against time", "ms", "PSNR dB", True, points))
    return section

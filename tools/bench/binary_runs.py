"""Google Benchmark's JSON as a section: a row for each benchmark with its counters, charts of time and memory."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from bench import machine
from bench.document import MISSING, Bars, Section, Table, number

MS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3}
OF_THE_HARNESS = {
    "iterations",
    "repetitions",
    "repetition_index",
    "threads",
    "family_index",
    "per_family_instance_index",
    "real_time",
    "cpu_time",
}
HOW_IT_RAN = ("iterations:", "repeats:", "process_time", "real_time", "manual_time")


def plain_name(run_name: str) -> str:
    return "/".join(part for part in run_name.split("/") if not part.startswith(HOW_IT_RAN))


class Row:
    """All that a run says of one benchmark: single repetitions, or the median and spread of them."""

    def __init__(self, entries: Sequence[dict]) -> None:
        single = [one for one in entries if one["run_type"] == "iteration"]
        medians = single or [one for one in entries if one.get("aggregate_name") == "median"]
        if not medians:
            raise ValueError(f"{entries[0]['run_name']}: a median or single repetitions expected")
        self.ms = statistics.median(one["real_time"] * MS[one["time_unit"]] for one in medians)
        self.processor_ms = statistics.median(one["cpu_time"] * MS[one["time_unit"]] for one in medians)
        spread = [one["real_time"] for one in entries if one.get("aggregate_name") == "cv"]
        if len(single) > 1:
            spread = [statistics.stdev(one["real_time"] for one in single) / statistics.mean(one["real_time"] for one in single)]
        self.spread = spread[0] if spread else None
        counters = [key for key, value in medians[0].items() if isinstance(value, (int, float)) and key not in OF_THE_HARNESS]
        self.counters = {key: statistics.median(one[key] for one in medians) for key in counters}


def rows_of(run: dict) -> tuple[dict[str, Row], dict[str, str]]:
    """By name, and why those that failed did."""
    entries: dict[str, list[dict]] = {}
    failed: dict[str, str] = {}
    for one in run["benchmarks"]:
        name = plain_name(one["run_name"])
        if one.get("error_occurred"):
            failed[name] = str(one.get("error_message"))
        else:
            entries.setdefault(name, []).append(one)
    return {name: Row(those) for name, those in entries.items() if name not in failed}, failed


def source(run: dict) -> list[str]:
    context = run.get("context", {})
    if "machine" in run:
        lines = [machine.described(run["machine"])]
    else:
        lines = [
            f"{context.get('num_cpus', '?')} cores ({context.get('cpu_capability', '?')}), {context.get('date', '?')}, "
            f"version {context.get('lightswitch', '?')}; the file names neither processor nor commit"
        ]
    return [*lines, f"threads: {context.get('threads', '?')}", *run.get("commands", [])]


def section_of_binary(run: dict, name: str) -> Section:
    """@param name where the run does not tell its binary."""
    rows, failed = rows_of(run)
    counters = list(dict.fromkeys(key for row in rows.values() for key in row.counters))
    cells = [
        [
            name,
            number(row.ms),
            number(row.processor_ms),
            number(row.spread and 100 * row.spread, ".1f"),
            *(number(row.counters.get(key)) for key in counters),
        ]
        for name, row in rows.items()
    ]
    cells += [[name, f"not timed: {why}", *[MISSING] * (2 + len(counters))] for name, why in failed.items()]
    title = Path(run.get("context", {}).get("executable", name)).name
    section = Section(title, source(run), tables=[Table(title, ["benchmark", "ms", "processor ms", "spread %", *counters], cells)])
    if run.get("skipped"):
        section.text.append("Not run: " + "; ".join(f"{name} ({why})" for name, why in run["skipped"].items()))
    if rows:
        section.charts.append(Bars(f"{title}: time", "ms", [(name, row.ms) for name, row in rows.items()]))
    for key in (key for key in counters if key.endswith("MiB")):
        values = [(name, row.counters[key]) for name, row in rows.items() if row.counters.get(key, 0) > 0]
        if values:
            section.charts.append(Bars(f"{title}: {key}", "MiB", values))
    return section

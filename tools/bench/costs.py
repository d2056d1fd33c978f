"""Time, memory and energy of decoders whose pictures were checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.decoding import Decoding
from bench.document import MISSING, number
from bench.energy import Meter, Unreadable
from bench.rounds import Ratio, paired_ratio
from bench.settings import Settings
from bench.timing import timed

COLUMNS = ["ms", "faster than the full one", "MiB", "J"]
METERED_MS = 2000  # of work between two readings


@dataclass(frozen=True)
class Cost:
    all_ms: list[float]
    """One a round."""
    mib: float
    joules: float | None

    @property
    def ms(self) -> float:
        return min(self.all_ms)

    def faster_than(self, other: Cost) -> Ratio:
        return paired_ratio(other.all_ms, self.all_ms)

    def cells(self, full: Cost) -> list[str]:
        ratio = MISSING if self is full else format(self.faster_than(full))
        return [number(self.ms), ratio, number(self.mib), number(self.joules)]


def costs_of(settings: Settings, decodings: Mapping[str, Decoding], idle: Decoding) -> dict[str, Cost]:
    """@param decodings all of the same latents. @param idle of a decoder that does next to nothing: its memory is the program's."""
    figures = timed(decodings, settings.clock, settings.rounds)
    joules = energies(decodings, figures)
    return {name: Cost(figures[name], max(one.peak_mib() - idle.peak_mib(), 0.0), joules.get(name)) for name, one in decodings.items()}


def energies(decodings: Mapping[str, Decoding], figures: Mapping[str, list[float]]) -> dict[str, float]:
    try:
        meter = Meter()
        found = {}
        for name, one in decodings.items():
            calls = max(1, round(METERED_MS / min(figures[name])))
            found[name] = (meter.joules(lambda: one.run(1 + calls)) - meter.joules(lambda: one.run(1))) / calls
        return found
    except Unreadable:
        return {}


def notes() -> list[str]:
    lines = [
        "ms: of one call, the best of all rounds; faster: median and 95 % interval over paired rounds. MiB: peak of the process above "
        "that of the same command with a decoder of one matrix, weights included."
    ]
    try:
        Meter()
        return [*lines, "J: of one call, by RAPL, for whole processor packages and all that runs there."]
    except Unreadable as why:
        return [*lines, f"J: not readable: {why}."]

"""Paired rounds and what they prove: contenders share the machine's moods, ratios are taken inside a round."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

RESAMPLES = 2000


@dataclass(frozen=True)
class Ratio:
    """Median over rounds, and the 95 % interval that a bootstrap of the rounds gives it."""

    median: float
    low: float
    high: float

    def __format__(self, digits: str) -> str:
        median, low, high = (format(value, digits or ".2f") for value in (self.median, self.low, self.high))
        return f"{median} ({low} … {high})"


def abba_groups(contenders: Mapping[str, Callable[[], Mapping[str, float]]], rounds: int) -> dict[str, dict[str, list[float]]]:
    """Each round measures all contenders and then all again backwards; a round's figure is the better of the two. One measurement
    gives several figures by name, which must be the same names every time.
    """
    figures: dict[str, dict[str, list[float]]] = {name: {} for name in contenders}
    for _ in range(rounds):
        there = {name: measure() for name, measure in contenders.items()}
        back = {name: contenders[name]() for name in reversed(contenders)}
        for name in contenders:
            for what in there[name]:
                figures[name].setdefault(what, []).append(min(there[name][what], back[name][what]))
    return figures


def abba(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Of contenders that give one figure."""
    groups = abba_groups({name: lambda measure=measure: {"": measure()} for name, measure in contenders.items()}, rounds)
    return {name: figures.get("", []) for name, figures in groups.items()}


def paired_ratio(above: Sequence[float], below: Sequence[float]) -> Ratio:
    """Of figures taken in the same rounds. The same rounds give the same interval."""
    if not above or len(above) != len(below):
        raise ValueError(f"paired figures expected, found {len(above)} and {len(below)}")
    logs = [math.log(a / b) for a, b in zip(above, below)]
    draw = random.Random(0)
    return interval(statistics.median(logs), [statistics.median(draw.choices(logs, k=len(logs))) for _ in range(RESAMPLES)])


def unpaired_ratio(above: Sequence[float], below: Sequence[float]) -> Ratio:
    """Of the medians of figures taken at different times: what the machine did meanwhile is in it."""
    if not above or not below:
        raise ValueError(f"figures expected, found {len(above)} and {len(below)}")
    draw = random.Random(0)
    median = lambda values: math.log(statistics.median(values))  # noqa: E731
    again = lambda values: draw.choices(values, k=len(values))  # noqa: E731
    return interval(median(above) - median(below), [median(again(above)) - median(again(below)) for _ in range(RESAMPLES)])


def interval(log_ratio: float, resampled: list[float]) -> Ratio:
    resampled.sort()
    low, high = resampled[int(0.025 * RESAMPLES)], resampled[int(0.975 * RESAMPLES)]
    return Ratio(math.exp(log_ratio), math.exp(low), math.exp(high))

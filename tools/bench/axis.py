"""Where numbers lie on an axis, and which of them are written beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

ROUND = (1, 2, 5, 10)


@dataclass(frozen=True)
class Axis:
    """From `low` to `high` over the pixels `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        place = (
            math.log(value / self.low) / math.log(self.high / self.low)
            if self.logarithmic
            else ((value - self.low) / (self.high - self.low))
        )
        return self.start + place * (self.end - self.start)

    def ticks(self) -> list[float]:
        if self.logarithmic and self.high / self.low > 5:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            steps = ROUND[:3] if self.high / self.low < 300 else ROUND[:1]
            every = [step * 10.0**power for power in powers for step in steps]
        else:
            step = step_of((self.high - self.low) / 5)
            every = [step * count for count in range(math.floor(self.low / step), math.ceil(self.high / step) + 1)]
        slack = 1e-9 * (self.high - self.low)
        return [value for value in every if self.low - slack <= value <= self.high + slack]


def step_of(least: float) -> float:
    """The smallest of 1, 2, 5, 10 … that is no less."""
    power = 10.0 ** math.floor(math.log10(least))
    return power * next(step for step in ROUND if step * power >= least * (1 - 1e-9))


def linear(values: Sequence[float], start: float, end: float) -> Axis:
    """Around the values, from one round number to another."""
    low, high = min(values), max(values)
    step = step_of((high - low or abs(high) or 1) / 4)
    low, high = step * math.floor(low / step), step * math.ceil(high / step)
    return Axis(low, high if high > low else low + step, start, end)


def logarithmic(values: Sequence[float], start: float, end: float) -> Axis:
    return Axis(min(values) / 1.3, max(values) * 1.3, start, end, True)


def written(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"

"""Contenders in paired rounds, each called for as long as it takes to settle."""

from __future__ import annotations

from collections.abc import Mapping

from bench import rounds
from bench.contender import Contender

SETTLED_MS = 500  # calls go on for as long: the system takes its time to give all threads a core of their own


def timed(contenders: Mapping[str, Contender], clock: str, count: int) -> dict[str, list[float]]:
    """Milliseconds of a call in each of so many rounds."""
    calls = {name: max(1, min(100, round(SETTLED_MS / one.ms(1, clock)))) for name, one in contenders.items()}
    return rounds.abba({name: lambda one=one, name=name: one.ms(calls[name], clock) for name, one in contenders.items()}, count)

"""How much longer a run may take."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def processor_seconds() -> float:
    """Of this process and of all that it called."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


CLOCKS = {"wall": time.monotonic, "cpu": processor_seconds}


class Budget:
    def __init__(self, seconds: float | None = None, clock: str = "wall") -> None:
        """Without seconds there is no end to it."""
        self.clock = clock
        self.until = math.inf if seconds is None else self.now() + seconds

    def now(self) -> float:
        return CLOCKS[self.clock]()

    def left(self) -> float:
        return self.until - self.now()

    def allows(self, seconds: float) -> bool:
        return seconds <= self.left()

    def turns(self, things: Iterable[T], name: Callable[[T], str], left_out: list[str]) -> Iterator[T]:
        """Those for which there is time, should each take half as much again as the one before. The others are named in `left_out`."""
        last = 0.0
        for thing in things:
            if not self.allows(1.5 * last):
                left_out.append(f"{name(thing)}: left out, the time was up.")
                continue
            began = self.now()
            yield thing
            last = self.now() - began

    def timeout(self) -> float | None:
        """Seconds on the wall that one more call may take; None where that is not bounded."""
        return None if math.isinf(self.until) or self.clock == "cpu" else max(self.left(), 1.0)

    def part(self, seconds: float) -> Budget:
        """For one section: no more than that, and than what is left."""
        return Budget(None if math.isinf(self.until) else max(0.0, min(seconds, self.left())), self.clock)

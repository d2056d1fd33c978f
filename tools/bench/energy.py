"""Joules from RAPL's counters, where the kernel shows them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


class Unreadable(Exception):
    """Why there are no figures."""


class Meter:
    """Of whole processor packages: whatever else runs is in it."""

    def __init__(self, folder: Path = POWERCAP) -> None:
        """@throws Unreadable"""
        if not folder.is_dir():
            raise Unreadable(f"the kernel shows no {folder}")
        self.packages = [zone for zone in sorted(folder.glob("intel-rapl:*")) if zone.name.count(":") == 1]
        if not self.packages:
            raise Unreadable(f"no package in {folder}")
        self.counters()

    def counters(self) -> list[int]:
        try:
            return [int((zone / "energy_uj").read_text()) for zone in self.packages]
        except (OSError, ValueError) as error:
            raise Unreadable(f"{self.packages[0].parent}: {error}") from error

    def joules(self, work: Callable[[], object]) -> float:
        before = self.counters()
        work()
        spent = 0
        for zone, first, last in zip(self.packages, before, self.counters()):
            wraps_at = int((zone / "max_energy_range_uj").read_text())
            spent += last - first if last >= first else last - first + wraps_at
        return spent * 1e-6

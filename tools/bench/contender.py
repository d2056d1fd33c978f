"""Who takes part in a comparison."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch


class Timed(ABC):
    @abstractmethod
    def ms(self, calls: int, clock: str) -> float:
        """Of one call: the best of `calls` by the clock on the wall, their mean by that of the processor ("cpu")."""


class Contender(Timed):
    @abstractmethod
    def pictures(self) -> torch.Tensor:
        """[N, H, W, 3] in [0, 1]."""

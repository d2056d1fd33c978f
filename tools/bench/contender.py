"""Who takes part in a comparison: gives its pictures once, and times its calls."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch


class Contender(ABC):
    @abstractmethod
    def pictures(self) -> torch.Tensor:
        """[N, H, W, 3] in [0, 1]."""

    @abstractmethod
    def ms(self, calls: int, clock: str) -> float:
        """Of one call: the best of `calls` by the clock on the wall, their mean by that of the processor ("cpu")."""

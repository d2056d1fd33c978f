"""Multistep solvers over lambda = log(alpha / sigma), half the log of the signal-to-noise ratio (arXiv 2206.00927)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..noise_schedule import ScheduleConfig
from .base import State
from .sigmas import SigmaSampler, interpolated, time_of


class LogSnrSolver(SigmaSampler):
    """States hold sigma / alpha, so lambda is minus its log. They hold alpha * x0 + sigma * noise."""

    def __init__(self, config: ScheduleConfig) -> None:
        super().__init__(config)
        self.rounds_karras = True

    @torch.jit.export
    def init(self, num_steps: int, strength: float) -> State:
        first = self._first_kept(num_steps, strength)
        if self.karras:
            sigmas = self._karras(self.table[-1], self.table[0], num_steps)
            timesteps = time_of(sigmas, self.table)
            timesteps = timesteps.round() if self.rounds_karras else timesteps.floor()
            smallest = sigmas[-1:]
        else:
            # The last of n + 1 spaced timesteps is the end of the trajectory, not a call of the model.
            timesteps = self._spaced(num_steps + (0 if self.spacing == "trailing" else 1))[:num_steps].round()
            sigmas = interpolated(self.table, timesteps)
            smallest = self.table[:1]
        return {
            "timesteps": timesteps.to(torch.float32)[first:],
            "sigmas": self._ended(sigmas, smallest)[first:],
            "num_steps": torch.tensor(num_steps),
        }

    @torch.jit.export
    def add_noise(self, x0: Tensor, noise: Tensor, i: int, state: State) -> Tensor:
        sigma = state["sigmas"][i]
        alpha = (sigma**2 + 1).rsqrt()
        return alpha * x0 + alpha * sigma * noise

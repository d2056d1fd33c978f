"""DDIM (arXiv 2010.02502), deterministic or with a share of fresh noise."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor

from ..noise_schedule import ScheduleConfig
from .base import SignalSampler, State, StepResult, given


class DDIM(SignalSampler):
    def __init__(self, config: ScheduleConfig) -> None:
        super().__init__(config)
        self.eta = config.eta

    @torch.jit.export
    def init(self, num_steps: int, strength: float) -> State:
        first = self._first_kept(num_steps, strength)
        timesteps = self._spaced(num_steps).round().to(torch.int64)[first:]
        return {
            "timesteps": timesteps.to(torch.float32),
            "signal": self.signal[timesteps],
            "next_signal": self._signal_at(timesteps - self.train_steps // num_steps),
        }

    @torch.jit.export
    def needs_noise(self, i: int, state: State) -> bool:
        return self.eta > 0.0

    @torch.jit.export
    def step(self, model_output: Tensor, i: int, sample: Tensor, state: State, noise: Optional[Tensor]) -> StepResult:
        held = sample.to(torch.float32)
        now, target = state["signal"][i], state["next_signal"][i]
        alpha, sigma = now.sqrt(), (1 - now).sqrt()
        x0 = self._clipped(self._x0(model_output, held, alpha, sigma))
        direction = self._noise(model_output, held, alpha, sigma)
        spread = self.eta * ((1 - target) / (1 - now) * (1 - now / target)).sqrt()
        moved = target.sqrt() * x0 + (1 - target - spread**2).sqrt() * direction
        if self.eta > 0.0:
            moved = moved + spread * given(noise, i)
        return moved.to(sample.dtype), x0.to(sample.dtype), state.copy()

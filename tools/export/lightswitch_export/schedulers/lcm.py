"""Latent consistency models (arXiv 2310.04378): few steps, each to a clean picture and back to noise."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor

from ..noise_schedule import ScheduleConfig
from .base import SignalSampler, State, StepResult, given


class LCM(SignalSampler):
    def __init__(self, config: ScheduleConfig) -> None:
        super().__init__(config)
        self.trained_steps = config.original_inference_steps
        self.time_scale = config.timestep_scaling

    @torch.jit.export
    def init(self, num_steps: int, strength: float) -> State:
        first = self._first_kept(num_steps, strength)
        if num_steps > self.trained_steps:
            raise ValueError(f"steps: expected at most {self.trained_steps} for LCM, found {num_steps}")
        trained = torch.arange(self.trained_steps, 0, -1) * (self.train_steps // self.trained_steps) - 1
        picked = torch.arange(num_steps, dtype=torch.float64) * (float(self.trained_steps) / num_steps)
        timesteps = trained[picked.floor().to(torch.int64)][first:]
        return {"timesteps": timesteps.to(torch.float32), "signal": self.signal[timesteps]}

    @torch.jit.export
    def needs_noise(self, i: int, state: State) -> bool:
        return i + 1 < state["timesteps"].numel()

    @torch.jit.export
    def step(self, model_output: Tensor, i: int, sample: Tensor, state: State, noise: Optional[Tensor]) -> StepResult:
        held = sample.to(torch.float32)
        now = state["signal"][i]
        x0 = self._clipped(self._x0(model_output, held, now.sqrt(), (1 - now).sqrt()))
        # The consistency function's boundary condition for data of standard deviation 0.5.
        time = state["timesteps"][i] * self.time_scale
        denoised = time / (time**2 + 0.25).sqrt() * x0 + 0.25 / (time**2 + 0.25) * held
        moved = denoised
        if self.needs_noise(i, state):
            target = state["signal"][i + 1]
            moved = target.sqrt() * denoised + (1 - target).sqrt() * given(noise, i)
        return moved.to(sample.dtype), denoised.to(sample.dtype), state.copy()

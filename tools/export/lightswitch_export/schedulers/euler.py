"""Euler steps over sigma, plain and ancestral (arXiv 2206.00364)."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor

from ..noise_schedule import ScheduleConfig
from .base import State, StepResult, given
from .sigmas import SigmaSampler, interpolated, time_of


class _VarianceExploding(SigmaSampler):
    """Samplers that hold x0 + sigma * noise and scale it down for the model."""

    def __init__(self, config: ScheduleConfig) -> None:
        super().__init__(config)
        self.continuous = config.timestep_type == "continuous" and config.prediction_type == "v_prediction"

    @torch.jit.export
    def init(self, num_steps: int, strength: float) -> State:
        first = self._first_kept(num_steps, strength)
        timesteps = self._spaced(num_steps)
        sigmas = interpolated(self.table, timesteps)
        if self.karras:
            sigmas = self._karras(sigmas[0], sigmas[-1], num_steps)
            timesteps = time_of(sigmas, self.table)
        if self.continuous:
            timesteps = 0.25 * sigmas.log()  # EDM's noise conditioning, arXiv 2206.00364, table 1
        sigmas = self._ended(sigmas, self.table[:1])
        return {"timesteps": timesteps.to(torch.float32)[first:], "sigmas": sigmas[first:]}

    @torch.jit.export
    def initial_noise_scale(self, state: State) -> float:
        sigma = float(state["sigmas"].max())
        return sigma if self.spacing != "leading" else (sigma * sigma + 1.0) ** 0.5

    @torch.jit.export
    def scale_model_input(self, sample: Tensor, i: int, state: State) -> Tensor:
        sigma = state["sigmas"][i]
        return sample / (sigma * sigma + 1).sqrt()

    @torch.jit.export
    def add_noise(self, x0: Tensor, noise: Tensor, i: int, state: State) -> Tensor:
        return x0 + noise * state["sigmas"][i]

    def _denoised(self, model_output: Tensor, sample: Tensor, sigma: Tensor) -> Tensor:
        if self.prediction == "epsilon":
            return sample - sigma * model_output
        if self.prediction == "v_prediction":
            return sample / (sigma * sigma + 1) - model_output * (sigma / (sigma * sigma + 1).sqrt())
        return model_output


class Euler(_VarianceExploding):
    @torch.jit.export
    def step(self, model_output: Tensor, i: int, sample: Tensor, state: State, noise: Optional[Tensor]) -> StepResult:
        held = sample.to(torch.float32)
        sigma = state["sigmas"][i]
        x0 = self._denoised(model_output, held, sigma)
        moved = held + (held - x0) / sigma * (state["sigmas"][i + 1] - sigma)
        return moved.to(sample.dtype), x0.to(sample.dtype), state.copy()


class EulerAncestral(_VarianceExploding):
    @torch.jit.export
    def needs_noise(self, i: int, state: State) -> bool:
        return float(state["sigmas"][i + 1]) > 0.0

    @torch.jit.export
    def step(self, model_output: Tensor, i: int, sample: Tensor, state: State, noise: Optional[Tensor]) -> StepResult:
        held = sample.to(torch.float32)
        sigma, target = state["sigmas"][i], state["sigmas"][i + 1]
        x0 = self._denoised(model_output, held, sigma)
        up = (target**2 * (sigma**2 - target**2) / sigma**2).sqrt()
        down = (target**2 - up**2).sqrt()
        moved = held + (held - x0) / sigma * (down - sigma)
        if self.needs_noise(i, state):
            moved = moved + given(noise, i) * up
        return moved.to(sample.dtype), x0.to(sample.dtype), state.copy()

"""What all samplers share: the state, the timesteps, the part of a schedule that `strength` keeps, and predictions."""

from __future__ import annotations

from typing import Dict, Optional, Tuple

import torch
from torch import Tensor, nn

from ..noise_schedule import ScheduleConfig, alphas_cumprod

State = Dict[str, Tensor]
StepResult = Tuple[Tensor, Tensor, Dict[str, Tensor]]


class Scheduler(nn.Module):
    """Answers for a sampler that holds alpha * x0 + sigma * noise, the space that the model sees, and draws nothing."""

    def __init__(self, config: ScheduleConfig) -> None:
        super().__init__()
        self.train_steps = config.num_train_timesteps
        self.spacing = config.timestep_spacing
        self.offset = config.steps_offset
        self.prediction = config.prediction_type
        self.clip = config.clip_sample_range if config.clip_sample else 0.0

    @torch.jit.export
    def initial_noise_scale(self, state: State) -> float:
        return 1.0

    @torch.jit.export
    def scale_model_input(self, sample: Tensor, i: int, state: State) -> Tensor:
        return sample

    @torch.jit.export
    def needs_noise(self, i: int, state: State) -> bool:
        return False

    def _first_kept(self, num_steps: int, strength: float) -> int:
        if num_steps < 1 or num_steps > self.train_steps:
            raise ValueError(f"steps: expected 1 to {self.train_steps}, found {num_steps}")
        if strength < 0.0 or strength > 1.0:
            raise ValueError(f"strength: expected 0 to 1, found {strength}")
        return num_steps - min(int(num_steps * strength), num_steps)

    def _spaced(self, num_steps: int) -> Tensor:
        """Descending training timesteps, float64; `linspace` is not rounded yet."""
        ramp = torch.arange(num_steps, dtype=torch.float64)
        if self.spacing == "linspace":
            step = float(self.train_steps - 1) / max(num_steps - 1, 1)
            return (ramp * step).flip(0)
        if self.spacing == "leading":
            return (ramp * (self.train_steps // num_steps)).flip(0) + self.offset
        return (self.train_steps - ramp * (float(self.train_steps) / num_steps)).round() - 1

    def _x0(self, model_output: Tensor, sample: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """The picture a prediction implies, where sample = alpha * x0 + sigma * noise and alpha^2 + sigma^2 = 1."""
        if self.prediction == "epsilon":
            return (sample - sigma * model_output) / alpha
        if self.prediction == "v_prediction":
            return alpha * sample - sigma * model_output
        return model_output

    def _noise(self, model_output: Tensor, sample: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """The noise that a prediction implies, as `_x0` does for the picture."""
        if self.prediction == "epsilon":
            return model_output
        if self.prediction == "v_prediction":
            return alpha * model_output + sigma * sample
        return (sample - alpha * model_output) / sigma

    def _clipped(self, x0: Tensor) -> Tensor:
        return x0.clamp(-self.clip, self.clip) if self.clip > 0.0 else x0


class SignalSampler(Scheduler):
    """Samplers that go from one training timestep to another by the share of signal power left there."""

    def __init__(self, config: ScheduleConfig) -> None:
        super().__init__(config)
        self.register_buffer("signal", alphas_cumprod(config))
        self.final_signal = 1.0 if config.set_alpha_to_one else float(self.signal[0])

    @torch.jit.export
    def add_noise(self, x0: Tensor, noise: Tensor, i: int, state: State) -> Tensor:
        signal = state["signal"][i]
        return signal.sqrt() * x0 + (1 - signal).sqrt() * noise

    def _signal_at(self, timesteps: Tensor) -> Tensor:
        """Of whole timesteps; those before the first are the end of the trajectory."""
        final = torch.full_like(self.signal[:1], self.final_signal)
        return torch.where(timesteps >= 0, self.signal[timesteps.clamp(min=0)], final)


def given(noise: Optional[Tensor], i: int) -> Tensor:
    """The noise of a step that needs it."""
    if noise is None:
        raise ValueError(f"noise: expected a tensor at step {i}, found none")
    return noise

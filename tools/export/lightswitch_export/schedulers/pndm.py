"""Linear multistep on the predicted noise (arXiv 2202.09778, formulas 9 and 12), without its Runge-Kutta start."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor

from ..noise_schedule import ScheduleConfig
from .base import SignalSampler, State, StepResult


class PNDM(SignalSampler):
    """The first step is taken twice: Heun's correction stands for the history that is still missing, so a run has one
    more call of the model than steps.
    """

    def __init__(self, config: ScheduleConfig) -> None:
        super().__init__(config)
        if not config.skip_prk_steps:
            raise ValueError("skip_prk_steps: expected true, found false: the Runge-Kutta start is not supported")
        if config.prediction_type == "sample":
            raise ValueError("prediction_type: expected epsilon or v_prediction for PNDM, found 'sample'")
        if config.rescale_betas_zero_snr:
            raise ValueError("rescale_betas_zero_snr: expected false for PNDM, found true")

    @torch.jit.export
    def init(self, num_steps: int, strength: float) -> State:
        first = self._first_kept(num_steps, strength)
        once = self._spaced(num_steps).round().to(torch.int64)
        timesteps = torch.cat([once[:2], once[1:]])[first:]
        gap = self.train_steps // num_steps
        # The second call goes back to where the first began.
        start = timesteps.clone()
        start[1:2] += gap
        target = timesteps - gap
        target[1:2] += gap
        return {
            "timesteps": timesteps.to(torch.float32),
            "signal": self.signal[timesteps],
            "start_signal": self.signal[start.clamp(max=self.train_steps - 1)],
            "next_signal": self._signal_at(target),
        }

    @torch.jit.export
    def step(self, model_output: Tensor, i: int, sample: Tensor, state: State, noise: Optional[Tensor]) -> StepResult:
        held = sample.to(torch.float32)
        output = model_output.to(torch.float32)
        now = state["signal"][i]
        x0 = self._x0(output, held, now.sqrt(), (1 - now).sqrt())
        following = state.copy()
        slope = output
        if i == 0:
            following["outputs"] = output.unsqueeze(0)
            following["first_sample"] = held
        elif i == 1:
            slope = (output + state["outputs"][0]) / 2
            held = state["first_sample"]
            following.pop("first_sample")
        else:
            outputs = torch.cat([output.unsqueeze(0), state["outputs"]])[:4]
            following["outputs"] = outputs
            slope = torch.tensordot(_adams_bashforth(outputs.size(0)), outputs, dims=([0], [0]))
        signal, target = state["start_signal"][i], state["next_signal"][i]
        if self.prediction == "v_prediction":
            slope = signal.sqrt() * slope + (1 - signal).sqrt() * held
        spread = signal * (1 - target).sqrt() + (signal * (1 - signal) * target).sqrt()
        moved = (target / signal).sqrt() * held - (target - signal) * slope / spread
        return moved.to(sample.dtype), x0.to(sample.dtype), following


def _adams_bashforth(order: int) -> Tensor:
    """Weights of the newest prediction first."""
    if order == 2:
        return torch.tensor([3.0, -1.0]) / 2
    if order == 3:
        return torch.tensor([23.0, -16.0, 5.0]) / 12
    return torch.tensor([55.0, -59.0, 37.0, -9.0]) / 24

"""DPM-Solver++ 2M (arXiv 2211.01095): second-order multistep on the predicted picture, midpoint form."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor

from ..noise_schedule import ScheduleConfig
from .base import State, StepResult
from .log_snr import LogSnrSolver


class DPMSolverPlusPlus2M(LogSnrSolver):
    def __init__(self, config: ScheduleConfig) -> None:
        super().__init__(config)
        if config.solver_order != 2:
            raise ValueError(f"solver_order: expected 2 for DPM++ 2M, found {config.solver_order}")
        if config.solver_type == "heun":
            raise ValueError("solver_type: expected midpoint for DPM++ 2M, found 'heun'")
        self.rounds_karras = config.beta_schedule != "squaredcos_cap_v2"
        self.first_order_end = config.euler_at_final or self.ends_at_zero
        self.first_order_end_if_short = config.lower_order_final

    @torch.jit.export
    def step(self, model_output: Tensor, i: int, sample: Tensor, state: State, noise: Optional[Tensor]) -> StepResult:
        held = sample.to(torch.float32)
        sigma, target = state["sigmas"][i], state["sigmas"][i + 1]
        alpha, target_alpha = (sigma**2 + 1).rsqrt(), (target**2 + 1).rsqrt()
        x0 = self._x0(model_output, held, alpha, sigma * alpha)
        # The way to sigma = 0 is infinitely long.
        length = sigma.log() - target.log()
        slope = x0
        is_last = i + 1 == state["timesteps"].numel()
        short = int(state["num_steps"]) < 15
        first_order = is_last and (self.first_order_end or (self.first_order_end_if_short and short))
        if "previous_x0" in state and not first_order:
            ratio = (state["sigmas"][i - 1].log() - sigma.log()) / length
            slope = x0 + 0.5 / ratio * (x0 - state["previous_x0"])
        moved = target * target_alpha / (sigma * alpha) * held - target_alpha * torch.expm1(-length) * slope
        following = state.copy()
        following["previous_x0"] = x0
        return moved.to(sample.dtype), x0.to(sample.dtype), following

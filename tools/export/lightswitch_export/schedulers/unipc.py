"""UniPC (arXiv 2302.04867): a multistep predictor, and a corrector that the model's next call pays for."""

from __future__ import annotations

from typing import List, Optional

import torch
from torch import Tensor

from ..noise_schedule import ScheduleConfig
from .base import State, StepResult
from .log_snr import LogSnrSolver


class UniPC(LogSnrSolver):
    """The state keeps the newest predictions (of the picture, or of the noise with `predict_x0` false), newest first,
    and the corrected sample that the last predictor started from.
    """

    def __init__(self, config: ScheduleConfig) -> None:
        super().__init__(config)
        _check(config)
        self.solver_order = config.solver_order
        self.lower_order_end = config.lower_order_final
        self.on_x0 = config.predict_x0
        self.b_is_h = config.solver_type == "bh1"
        self.uncorrected = torch.jit.Attribute(list(config.disable_corrector), List[int])

    @torch.jit.export
    def step(self, model_output: Tensor, i: int, sample: Tensor, state: State, noise: Optional[Tensor]) -> StepResult:
        held = sample.to(torch.float32)
        output = model_output.to(torch.float32)
        sigma = state["sigmas"][i]
        alpha = (sigma**2 + 1).rsqrt()
        x0 = self._x0(output, held, alpha, sigma * alpha)
        prediction = x0 if self.on_x0 else self._noise(output, held, alpha, sigma * alpha)
        predictions = prediction.unsqueeze(0)
        if "predictions" in state:
            steps_left_out = int(state["num_steps"]) - state["timesteps"].numel()
            if steps_left_out + i - 1 not in self.uncorrected:
                held = self._advanced(state["start"], state["predictions"], i - 1, state, prediction)
            predictions = torch.cat([predictions, state["predictions"]])[: self.solver_order]
        moved = self._advanced(held, predictions, i, state, None)
        following = state.copy()
        following["predictions"] = predictions
        following["start"] = held
        return moved.to(sample.dtype), x0.to(sample.dtype), following

    def _order(self, i: int, count: int) -> int:
        order = min(self.solver_order, i + 1)
        return min(order, count - i) if self.lower_order_end else order

    def _advanced(
        self, start: Tensor, predictions: Tensor, i: int, state: State, arrived: Optional[Tensor]
    ) -> Tensor:
        """From sigma i to sigma i + 1: UniP, or UniC where the prediction `arrived` at is known (algorithms 5 to 8)."""
        sigmas = state["sigmas"].to(torch.float64)
        alphas = (sigmas**2 + 1).rsqrt()
        order = self._order(i, state["timesteps"].numel())
        length = sigmas[i].log() - sigmas[i + 1].log()
        h = -length if self.on_x0 else length
        newest = predictions[0]
        if self.on_x0:
            kept, scale = sigmas[i + 1] * alphas[i + 1] / (sigmas[i] * alphas[i]), alphas[i + 1]
        else:
            kept, scale = alphas[i + 1] / alphas[i], sigmas[i + 1] * alphas[i + 1]
        moved = kept * start - scale * torch.expm1(h) * newest

        # Where the other predictions lie, in units of the step, and how far they are from the newest.
        places: List[Tensor] = []
        differences: List[Tensor] = []
        for k in range(1, order):
            place = (sigmas[i].log() - sigmas[i - k].log()) / length
            places.append(place)
            differences.append((predictions[k] - newest) / place)
        if arrived is not None:
            places.append(torch.ones_like(length))
            differences.append(arrived - newest)
        if len(places) == 0:
            return moved  # of first order; the step to sigma = 0 is one, and infinitely long
        b = h if self.b_is_h else torch.expm1(h)
        weights = _weights(torch.stack(places), h, b).to(torch.float32)
        return moved - scale * b * torch.tensordot(weights, torch.stack(differences), dims=([0], [0]))


def _weights(places: Tensor, h: Tensor, b: Tensor) -> Tensor:
    """Of the differences at `places`, so that the step is exact for polynomials of their number (formula 10)."""
    count = places.numel()
    if count == 1:
        return torch.full_like(places, 0.5)  # independent of the place, as the authors simplify it
    phi = torch.expm1(h) / h - 1
    factorial = 1
    wanted = torch.empty_like(places)
    for k in range(count):
        wanted[k] = phi * factorial / b
        factorial *= k + 2
        phi = phi / h - 1 / factorial
    powers = places.unsqueeze(0) ** torch.arange(count, dtype=places.dtype).unsqueeze(1)
    return torch.linalg.solve(powers, wanted)


def _check(config: ScheduleConfig) -> None:
    """Refuses what has no scripted form, and what divides by zero in diffusers too."""
    if config.solver_order not in (1, 2, 3):
        raise ValueError(f"solver_order: expected 1, 2 or 3 for UniPC, found {config.solver_order}")
    if config.final_sigmas_type == "zero":
        reason = "for UniPC with final_sigmas_type zero, whose last step is infinitely long"
        if config.solver_type == "bh1":
            raise ValueError(f"solver_type: expected bh2 {reason}, found 'bh1'")
        if not config.predict_x0:
            raise ValueError(f"predict_x0: expected true {reason}, found false")
        if not config.lower_order_final and config.solver_order > 1:
            raise ValueError(f"lower_order_final: expected true {reason}, found false")
    elif config.use_karras_sigmas and config.solver_order == 3 and not config.lower_order_final:
        reason = "for UniPC of order 3 with Karras sigmas, whose last step has no length"
        raise ValueError(f"lower_order_final: expected true {reason}, found false")

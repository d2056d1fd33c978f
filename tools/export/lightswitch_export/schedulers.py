"""Schedulers as scripted modules with explicit state: the contract that `lightswitch::Scheduler` loads.

Every module answers init, initial_noise_scale, scale_model_input, needs_noise, step and add_noise. The state is a
dictionary of tensors that the caller holds; `step` returns a new one, so a module is shared by any number of runs.
Noise comes from outside: the caller owns the generator.
"""

from __future__ import annotations

from typing import Dict, Optional, Tuple

import torch
from torch import Tensor, nn

from .noise_schedule import ScheduleConfig, alphas_cumprod

State = Dict[str, Tensor]
StepResult = Tuple[Tensor, Tensor, Dict[str, Tensor]]


class _Scheduler(nn.Module):
    """What all samplers share: training tables, timestep spacing, and the part of a schedule that `strength` keeps."""

    def __init__(self, config: ScheduleConfig) -> None:
        super().__init__()
        self.train_steps = config.num_train_timesteps
        self.spacing = config.timestep_spacing
        self.offset = config.steps_offset
        self.prediction = config.prediction_type
        self.clip = config.clip_sample_range if config.clip_sample else 0.0
        self.register_buffer("signal", alphas_cumprod(config))

    def _check(self, num_steps: int, strength: float) -> None:
        if num_steps < 1 or num_steps > self.train_steps:
            raise ValueError(f"steps: expected 1 to {self.train_steps}, found {num_steps}")
        if strength < 0.0 or strength > 1.0:
            raise ValueError(f"strength: expected 0 to 1, found {strength}")

    def _first_kept(self, num_steps: int, strength: float) -> int:
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
        """The picture that a prediction implies, where sample = alpha * x0 + sigma * noise and alpha^2 + sigma^2 = 1."""
        if self.prediction == "epsilon":
            return (sample - sigma * model_output) / alpha
        if self.prediction == "v_prediction":
            return alpha * sample - sigma * model_output
        return model_output

    def _clipped(self, x0: Tensor) -> Tensor:
        return x0.clamp(-self.clip, self.clip) if self.clip > 0.0 else x0


class _VarianceExploding(_Scheduler):
    """Samplers that hold x0 + sigma * noise and scale it down for the model (Euler and its ancestral form)."""

    def __init__(self, config: ScheduleConfig) -> None:
        super().__init__(config)
        self.karras = config.use_karras_sigmas
        self.sigma_min: Optional[float] = config.sigma_min
        self.sigma_max: Optional[float] = config.sigma_max
        self.continuous = config.timestep_type == "continuous" and config.prediction_type == "v_prediction"
        self.ends_at_zero = config.final_sigmas_type == "zero"
        if config.rescale_betas_zero_snr:
            # sigma would be infinite at zero signal; diffusers puts half precision's smallest number there.
            self.signal[-1] = 2.0**-24

    @torch.jit.export
    def init(self, num_steps: int, strength: float) -> State:
        self._check(num_steps, strength)
        first = self._first_kept(num_steps, strength)
        timesteps = self._spaced(num_steps)
        table = ((1 - self.signal) / self.signal).sqrt().to(torch.float64)
        sigmas = _interpolate(table, timesteps)
        if self.karras:
            largest, smallest = self.sigma_max, self.sigma_min
            start = sigmas[0] if largest is None else torch.full_like(sigmas[0], largest)
            end = sigmas[-1] if smallest is None else torch.full_like(sigmas[-1], smallest)
            sigmas = _karras(start, end, num_steps)
            timesteps = _time_of(sigmas, table.log())
        if self.continuous:
            timesteps = 0.25 * sigmas.log()  # EDM's noise conditioning, arXiv 2206.00364, table 1
        last = torch.zeros(1, dtype=torch.float64) if self.ends_at_zero else table[:1]
        sigmas = torch.cat([sigmas, last]).to(torch.float32)
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
    def needs_noise(self, i: int, state: State) -> bool:
        return False

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
            if noise is None:
                raise ValueError(f"noise: expected a tensor at step {i}, found none")
            moved = moved + noise * up
        return moved.to(sample.dtype), x0.to(sample.dtype), state.copy()


class _VariancePreserving(_Scheduler):
    """Samplers that hold alpha * x0 + sigma * noise, the space that the model sees."""

    @torch.jit.export
    def initial_noise_scale(self, state: State) -> float:
        return 1.0

    @torch.jit.export
    def scale_model_input(self, sample: Tensor, i: int, state: State) -> Tensor:
        return sample

    @torch.jit.export
    def add_noise(self, x0: Tensor, noise: Tensor, i: int, state: State) -> Tensor:
        signal = state["signal"][i]
        return signal.sqrt() * x0 + (1 - signal).sqrt() * noise


class DDIM(_VariancePreserving):
    def __init__(self, config: ScheduleConfig) -> None:
        super().__init__(config)
        self.eta = config.eta
        self.final_signal = 1.0 if config.set_alpha_to_one else float(self.signal[0])

    @torch.jit.export
    def init(self, num_steps: int, strength: float) -> State:
        self._check(num_steps, strength)
        first = self._first_kept(num_steps, strength)
        timesteps = self._spaced(num_steps).round().to(torch.int64)[first:]
        target = timesteps - self.train_steps // num_steps
        final = torch.full_like(self.signal[:1], self.final_signal)
        next_signal = torch.where(target >= 0, self.signal[target.clamp(min=0)], final)
        return {
            "timesteps": timesteps.to(torch.float32),
            "signal": self.signal[timesteps],
            "next_signal": next_signal,
        }

    @torch.jit.export
    def needs_noise(self, i: int, state: State) -> bool:
        return self.eta > 0.0

    @torch.jit.export
    def step(self, model_output: Tensor, i: int, sample: Tensor, state: State, noise: Optional[Tensor]) -> StepResult:
        held = sample.to(torch.float32)
        now, target = state["signal"][i], state["next_signal"][i]
        alpha, sigma = now.sqrt(), (1 - now).sqrt()
        x0 = self._x0(model_output, held, alpha, sigma)
        if self.prediction == "epsilon":
            direction = model_output
        elif self.prediction == "v_prediction":
            direction = alpha * model_output + sigma * held
        else:
            direction = (held - alpha * x0) / sigma
        x0 = self._clipped(x0)
        spread = self.eta * ((1 - target) / (1 - now) * (1 - now / target)).sqrt()
        moved = target.sqrt() * x0 + (1 - target - spread**2).sqrt() * direction
        if self.eta > 0.0:
            if noise is None:
                raise ValueError(f"noise: expected a tensor at step {i}, found none")
            moved = moved + spread * noise
        return moved.to(sample.dtype), x0.to(sample.dtype), state.copy()


class PNDM(_VariancePreserving):
    """Linear multistep on the predicted noise (arXiv 2202.09778, formulas 9 and 12), without its Runge-Kutta start.

    The first step is taken twice: Heun's correction stands for the history that is still missing, so a run has one more
    call of the model than steps.
    """

    def __init__(self, config: ScheduleConfig) -> None:
        super().__init__(config)
        if not config.skip_prk_steps:
            raise ValueError("skip_prk_steps: expected true, found false: the Runge-Kutta start is not supported")
        if config.prediction_type == "sample":
            raise ValueError("prediction_type: expected epsilon or v_prediction for PNDM, found 'sample'")
        if config.rescale_betas_zero_snr:
            raise ValueError("rescale_betas_zero_snr: expected false for PNDM, found true")
        self.final_signal = 1.0 if config.set_alpha_to_one else float(self.signal[0])

    @torch.jit.export
    def init(self, num_steps: int, strength: float) -> State:
        self._check(num_steps, strength)
        once = self._spaced(num_steps).round().to(torch.int64)
        timesteps = torch.cat([once[:2], once[1:]])[self._first_kept(num_steps, strength) :]
        gap = self.train_steps // num_steps
        # The second call goes back to where the first began.
        start = timesteps.clone()
        start[1:2] += gap
        target = timesteps - gap
        target[1:2] += gap
        final = torch.full_like(self.signal[:1], self.final_signal)
        return {
            "timesteps": timesteps.to(torch.float32),
            "signal": self.signal[timesteps],
            "start_signal": self.signal[start.clamp(max=self.train_steps - 1)],
            "next_signal": torch.where(target >= 0, self.signal[target.clamp(min=0)], final),
        }

    @torch.jit.export
    def needs_noise(self, i: int, state: State) -> bool:
        return False

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


class LCM(_VariancePreserving):
    def __init__(self, config: ScheduleConfig) -> None:
        super().__init__(config)
        self.trained_steps = config.original_inference_steps
        self.time_scale = config.timestep_scaling

    @torch.jit.export
    def init(self, num_steps: int, strength: float) -> State:
        self._check(num_steps, strength)
        if num_steps > self.trained_steps:
            raise ValueError(f"steps: expected at most {self.trained_steps} for LCM, found {num_steps}")
        trained = torch.arange(self.trained_steps, 0, -1) * (self.train_steps // self.trained_steps) - 1
        picked = torch.arange(num_steps, dtype=torch.float64) * (float(self.trained_steps) / num_steps)
        timesteps = trained[picked.floor().to(torch.int64)][self._first_kept(num_steps, strength) :]
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
            if noise is None:
                raise ValueError(f"noise: expected a tensor at step {i}, found none")
            target = state["signal"][i + 1]
            moved = target.sqrt() * denoised + (1 - target).sqrt() * noise
        return moved.to(sample.dtype), denoised.to(sample.dtype), state.copy()


class DPMSolverPlusPlus2M(_Scheduler):
    def __init__(self, config: ScheduleConfig) -> None:
        super().__init__(config)
        self.karras = config.use_karras_sigmas
        self.round_karras = config.beta_schedule != "squaredcos_cap_v2"
        self.ends_at_zero = config.final_sigmas_type == "zero"
        self.first_order_end = config.euler_at_final or self.ends_at_zero
        self.first_order_end_if_short = config.lower_order_final
        if config.rescale_betas_zero_snr:
            # sigma would be infinite at zero signal; diffusers puts half precision's smallest number there.
            self.signal[-1] = 2.0**-24

    @torch.jit.export
    def init(self, num_steps: int, strength: float) -> State:
        self._check(num_steps, strength)
        first = self._first_kept(num_steps, strength)
        table = ((1 - self.signal) / self.signal).sqrt().to(torch.float64)
        if self.karras:
            sigmas = _karras(table[-1], table[0], num_steps)
            timesteps = _time_of(sigmas, table.log())
            timesteps = timesteps.round() if self.round_karras else timesteps.floor()
        else:
            # The last of n + 1 spaced timesteps is the end of the trajectory, not a call of the model.
            timesteps = self._spaced(num_steps + (0 if self.spacing == "trailing" else 1))[:num_steps].round()
            sigmas = _interpolate(table, timesteps)
        last = torch.zeros(1, dtype=torch.float64) if self.ends_at_zero else table[:1]
        sigmas = torch.cat([sigmas, last]).to(torch.float32)
        return {
            "timesteps": timesteps.to(torch.float32)[first:],
            "sigmas": sigmas[first:],
            "num_steps": torch.tensor(num_steps),
        }

    @torch.jit.export
    def initial_noise_scale(self, state: State) -> float:
        return 1.0

    @torch.jit.export
    def scale_model_input(self, sample: Tensor, i: int, state: State) -> Tensor:
        return sample

    @torch.jit.export
    def needs_noise(self, i: int, state: State) -> bool:
        return False

    @torch.jit.export
    def add_noise(self, x0: Tensor, noise: Tensor, i: int, state: State) -> Tensor:
        sigma = state["sigmas"][i]
        alpha = (sigma**2 + 1).rsqrt()
        return alpha * x0 + alpha * sigma * noise

    @torch.jit.export
    def step(self, model_output: Tensor, i: int, sample: Tensor, state: State, noise: Optional[Tensor]) -> StepResult:
        held = sample.to(torch.float32)
        sigma, target = state["sigmas"][i], state["sigmas"][i + 1]
        alpha, target_alpha = (sigma**2 + 1).rsqrt(), (target**2 + 1).rsqrt()
        x0 = self._x0(model_output, held, alpha, sigma * alpha)
        # lambda = log(alpha / sigma) = -log(sigma) in this parameterisation; the way to sigma = 0 is infinitely long.
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


def _adams_bashforth(order: int) -> Tensor:
    """Weights of the newest prediction first."""
    if order == 2:
        return torch.tensor([3.0, -1.0]) / 2
    if order == 3:
        return torch.tensor([23.0, -16.0, 5.0]) / 12
    return torch.tensor([55.0, -59.0, 37.0, -9.0]) / 24


def _interpolate(table: Tensor, position: Tensor) -> Tensor:
    low = position.floor().clamp(0, table.numel() - 2).to(torch.int64)
    share = (position - low).clamp(0.0, 1.0)
    return table[low] * (1 - share) + table[low + 1] * share


def _karras(largest: Tensor, smallest: Tensor, count: int) -> Tensor:
    rho = 7.0
    ramp = torch.linspace(0, 1, count, dtype=torch.float64)
    start, end = largest ** (1 / rho), smallest ** (1 / rho)
    return (start + ramp * (end - start)) ** rho


def _time_of(sigmas: Tensor, log_table: Tensor) -> Tensor:
    """The fractional training timestep whose sigma is given: the inverse of the table, linear in log sigma."""
    log_sigma = sigmas.clamp(min=1e-10).log()
    low = (torch.searchsorted(log_table, log_sigma, right=True) - 1).clamp(0, log_table.numel() - 2)
    share = ((log_sigma - log_table[low]) / (log_table[low + 1] - log_table[low])).clamp(0.0, 1.0)
    return low + share


SCHEDULERS: Dict[str, type] = {
    "ddim": DDIM,
    "pndm": PNDM,
    "euler": Euler,
    "euler_a": EulerAncestral,
    "dpm++2m": DPMSolverPlusPlus2M,
    "lcm": LCM,
}


def scripted(name: str, config: ScheduleConfig) -> torch.jit.ScriptModule:
    """The scheduler `name` ready to save."""
    if name not in SCHEDULERS:
        raise ValueError(f"scheduler: expected one of {', '.join(SCHEDULERS)}, found {name!r}")
    return torch.jit.script(SCHEDULERS[name](config).eval())

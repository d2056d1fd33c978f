"""The noise schedule that a scheduler starts from: configuration as in diffusers' files, and the tables it implies."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Mapping, Sequence

import torch

BETA_SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2")
SPACINGS = ("leading", "linspace", "trailing")
PREDICTIONS = ("epsilon", "v_prediction", "sample")
FINAL_SIGMAS = ("zero", "sigma_min")
TIMESTEP_TYPES = ("discrete", "continuous")
# Of DPM-Solver and of UniPC (bh1, bh2); each of the two takes the other's words for its own default.
SOLVER_TYPES = ("midpoint", "heun", "logrho", "bh1", "bh2")


@dataclasses.dataclass(frozen=True)
class ScheduleConfig:
    """Fields carry diffusers' names, so a `scheduler_config.json` reads as it is. The defaults are Stable Diffusion's."""

    num_train_timesteps: int = 1000
    beta_start: float = 0.00085
    beta_end: float = 0.012
    beta_schedule: str = "scaled_linear"
    rescale_betas_zero_snr: bool = False
    prediction_type: str = "epsilon"
    timestep_spacing: str = "leading"
    steps_offset: int = 1
    set_alpha_to_one: bool = False
    clip_sample: bool = False
    clip_sample_range: float = 1.0
    use_karras_sigmas: bool = False
    final_sigmas_type: str = "zero"
    lower_order_final: bool = True
    euler_at_final: bool = False
    original_inference_steps: int = 50
    timestep_scaling: float = 10.0
    timestep_type: str = "discrete"
    sigma_min: float | None = None
    sigma_max: float | None = None
    skip_prk_steps: bool = True
    solver_order: int = 2
    solver_type: str = "bh2"
    predict_x0: bool = True
    disable_corrector: Sequence[int] = ()
    eta: float = 0.0

    def __post_init__(self) -> None:
        for field, known in (
            ("beta_schedule", BETA_SCHEDULES),
            ("timestep_spacing", SPACINGS),
            ("prediction_type", PREDICTIONS),
            ("final_sigmas_type", FINAL_SIGMAS),
            ("timestep_type", TIMESTEP_TYPES),
            ("solver_type", SOLVER_TYPES),
        ):
            value = getattr(self, field)
            if value not in known:
                raise ValueError(f"{field}: expected one of {', '.join(known)}, found {value!r}")
        if self.num_train_timesteps < 2:
            raise ValueError(f"num_train_timesteps: expected at least 2, found {self.num_train_timesteps}")

    @classmethod
    def from_diffusers(cls, config: Mapping[str, Any]) -> "ScheduleConfig":
        """Reads a diffusers configuration; a field that would change the result and is not known here is an error."""
        known = {field.name for field in dataclasses.fields(cls)}
        values = {}
        for name, value in config.items():
            if name in known:
                values[name] = value
            elif not name.startswith("_") and not _is_neutral(name, value):
                raise ValueError(f"{name}: the value {value!r} is not supported")
        return cls(**values)


# What diffusers writes for the options that no scheduler here has; any other value would be ignored silently.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "trained_betas": (None,),
    "thresholding": (False,),
    "interpolation_type": ("linear",),
    "use_exponential_sigmas": (False, None),
    "use_beta_sigmas": (False, None),
    "use_lu_lambdas": (False, None),
    "use_flow_sigmas": (False, None),
    "use_dynamic_shifting": (False,),
    "solver_p": (None,),
    "shift_terminal": (None,),
    "algorithm_type": ("dpmsolver++",),
    "variance_type": (None,),
    "lambda_min_clipped": (-math.inf,),
}
_WITHOUT_EFFECT = ("dynamic_thresholding_ratio", "sample_max_value", "flow_shift", "time_shift_type")


def _is_neutral(name: str, value: Any) -> bool:
    return name in _WITHOUT_EFFECT or value in _NEUTRAL.get(name, ())


def alphas_cumprod(config: ScheduleConfig) -> torch.Tensor:
    """The share of signal power left at every training timestep, float32 as the trained models saw it."""
    steps = config.num_train_timesteps
    if config.beta_schedule == "linear":
        betas = torch.linspace(config.beta_start, config.beta_end, steps, dtype=torch.float32)
    elif config.beta_schedule == "scaled_linear":
        betas = torch.linspace(config.beta_start**0.5, config.beta_end**0.5, steps, dtype=torch.float32) ** 2
    else:
        betas = _cosine_betas(steps)
    if config.rescale_betas_zero_snr:
        betas = _with_zero_terminal_snr(betas)
    return torch.cumprod(1.0 - betas, dim=0)


def _cosine_betas(steps: int, largest: float = 0.999) -> torch.Tensor:
    def signal(position: float) -> float:
        return math.cos((position + 0.008) / 1.008 * math.pi / 2) ** 2

    betas = [min(1 - signal((i + 1) / steps) / signal(i / steps), largest) for i in range(steps)]
    return torch.tensor(betas, dtype=torch.float32)


def _with_zero_terminal_snr(betas: torch.Tensor) -> torch.Tensor:
    """Shifts and scales sqrt(alpha_bar) so that the last timestep is pure noise and the first stays as it was."""
    root = torch.cumprod(1.0 - betas, dim=0).sqrt()
    first, last = root[0].clone(), root[-1].clone()
    signal = ((root - last) * (first / (first - last))) ** 2
    return 1.0 - torch.cat([signal[:1], signal[1:] / signal[:-1]])

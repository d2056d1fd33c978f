"""Schedulers as scripted modules with explicit state: the contract that `lightswitch::Scheduler` loads.

Every module answers init, initial_noise_scale, scale_model_input, needs_noise, step and add_noise. The state is a
dictionary of tensors that the caller holds; `step` returns a new one, so a module is shared by any number of runs.
Noise comes from outside: the caller owns the generator.
"""

from __future__ import annotations

import torch

from ..noise_schedule import ScheduleConfig
from .base import Scheduler
from .ddim import DDIM
from .dpm import DPMSolverPlusPlus2M
from .euler import Euler, EulerAncestral
from .lcm import LCM
from .pndm import PNDM
from .unipc import UniPC

SCHEDULERS: dict[str, type[Scheduler]] = {
    "ddim": DDIM,
    "pndm": PNDM,
    "euler": Euler,
    "euler_a": EulerAncestral,
    "dpm++2m": DPMSolverPlusPlus2M,
    "unipc": UniPC,
    "lcm": LCM,
}


def scripted(name: str, config: ScheduleConfig) -> torch.jit.ScriptModule:
    """The scheduler `name` ready to save. @raises ValueError for a name or an option that has no scripted form."""
    if name not in SCHEDULERS:
        raise ValueError(f"scheduler: expected one of {', '.join(SCHEDULERS)}, found {name!r}")
    return torch.jit.script(SCHEDULERS[name](config).eval())

"""The schedulers of a package: the pipeline's own, and those that a diffusers user could put in its place."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch

from .archive import save_script
from .noise_schedule import ScheduleConfig
from .refusal import Refusal
from .schedulers import SCHEDULERS, scripted
from .tracing import Comparison

COMPONENT = "scheduler"
# Name in the package -> diffusers' class, and what it sets beside the pipeline's own configuration.
CHOICES: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {}),
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "dpm++2m": ("DPMSolverMultistepScheduler", {}),
    "dpm++2m_karras": ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "lcm": ("LCMScheduler", {}),
}
# A model is trained for these; a scheduler that ignores one of them samples something else.
_OF_THE_MODEL = (
    "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "prediction_type", "rescale_betas_zero_snr",
    "timestep_type", "sigma_min", "sigma_max",
)  # fmt: skip
_UNSET = (None, False, "discrete")
_STEPS = 7


def own_name(scheduler: Any) -> str:
    """@raises Refusal for a class that has no scripted counterpart."""
    found = type(scheduler).__name__
    names = [name for name, (class_name, _) in CHOICES.items() if class_name == found]
    if not names:
        raise Refusal(COMPONENT, f"one of {', '.join(sorted({entry[0] for entry in CHOICES.values()}))}", found)
    karras = scheduler.config.get("use_karras_sigmas") and f"{names[0]}_karras" in names
    return f"{names[0]}_karras" if karras else names[0]


def corrected(scheduler: Any, pipeline: str) -> Any:
    """The scheduler as the pipeline's constructor leaves it: Stable Diffusion's puts two of its options right."""
    if pipeline.startswith("StableDiffusion") and "XL" not in pipeline:
        for field, value in (("steps_offset", 1), ("clip_sample", False)):
            if field in scheduler.config and scheduler.config[field] != value:
                scheduler.register_to_config(**{field: value})
    return scheduler


def replacements(own: Any, pipeline: str) -> dict[str, Any]:
    """The package's schedulers by name, as diffusers' objects: the pipeline's own, and others made of its configuration.

    Consistency models are sampled by no scheduler but their own.
    """
    import diffusers

    name = own_name(own)
    found = {name: corrected(own, pipeline)}
    for other, (class_name, overrides) in CHOICES.items():
        if other == name or "lcm" in (other, name):
            continue
        try:
            made = corrected(getattr(diffusers, class_name).from_config(own.config, **overrides), pipeline)
            if other == "dpm++2m":
                made.register_to_config(use_karras_sigmas=False)
            SCHEDULERS[_base(other)](_config(made))
        except ValueError:
            continue  # neither the class nor its scripted form has every option
        if all(_same(_used(made, field), _used(own, field)) for field in _OF_THE_MODEL):
            found[other] = made
    return dict(sorted(found.items(), key=lambda item: list(CHOICES).index(item[0])))


def write_scheduler(name: str, scheduler: Any, path: Path) -> Comparison:
    """Writes the scripted module, loads it again and takes the same steps with both. @raises Refusal."""
    try:
        module = scripted(_base(name), _config(scheduler))
    except ValueError as error:
        raise Refusal(COMPONENT, "a configuration that can be scripted", str(error)) from error
    save_script(module, path)
    difference, scale = _difference(scheduler, torch.jit.load(str(path)))
    result = Comparison(f"{COMPONENT} {name}", f"{_STEPS} steps", difference, difference, scale)
    if not difference <= 1e-4 * max(scale, 1.0):
        raise Refusal(COMPONENT, "the samples of the original", str(result))
    return result


def _base(name: str) -> str:
    return name.removesuffix("_karras")


def _config(scheduler: Any) -> ScheduleConfig:
    return ScheduleConfig.from_diffusers(dict(scheduler.config))


def _used(scheduler: Any, field: str) -> Any:
    """An option's value; diffusers keeps those of other classes in the configuration without reading them."""
    known = inspect.signature(type(scheduler).__init__).parameters
    return scheduler.config.get(field) if field in known else None


def _same(a: Any, b: Any) -> bool:
    return a == b or (a in _UNSET and b in _UNSET)


def _difference(scheduler: Any, module: torch.jit.ScriptModule) -> tuple[float, float]:
    scheduler.set_timesteps(_STEPS)
    state = module.init(_STEPS, 1.0)
    start = torch.randn(1, 4, 4, 6, generator=torch.Generator().manual_seed(0))
    theirs, ours = start * scheduler.init_noise_sigma, start * module.initial_noise_scale(state)
    difference, scale = float((theirs - ours).abs().max()), float(theirs.abs().max())
    their_noise, our_noise = (torch.Generator().manual_seed(1) for _ in range(2))
    draws = {"generator": their_noise} if "generator" in inspect.signature(scheduler.step).parameters else {}
    for i, timestep in enumerate(scheduler.timesteps):
        their_output = torch.tanh(scheduler.scale_model_input(theirs, timestep))
        theirs = scheduler.step(their_output, timestep, theirs, **draws).prev_sample
        noise = torch.randn(start.shape, generator=our_noise) if module.needs_noise(i, state) else None
        output = torch.tanh(module.scale_model_input(ours, i, state))
        ours, _, state = module.step(output, i, ours, state, noise)
        difference = max(difference, float((theirs - ours).abs().max()))
        scale = max(scale, float(theirs.abs().max()))
    return difference, scale

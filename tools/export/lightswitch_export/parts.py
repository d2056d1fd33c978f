"""What packages of every kind have: options, schedulers, an autoencoder, a card."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Callable

from torch import nn

from . import autoencoder, scheduler_parts
from .refusal import require
from .source import Source
from .tracing import Comparison

Report = Callable[[Comparison], None]


@dataclasses.dataclass(frozen=True)
class Options:
    dtype: str = "fp16"  # of the stored weights
    sizes: tuple[tuple[int, int], ...] = ()  # width, height in pixels: checked; the first is the package's default
    steps: int | None = None  # the package's defaults, where the pipeline's own are not right
    cfg_scale: float | None = None


def export_schedulers(source: Source, folder: Path, report: Report, others: bool) -> tuple[dict[str, Any], str]:
    """Entries of model.json and the name of the pipeline's own. @param others export what may stand in its place too."""
    own = source.scheduler()
    name = scheduler_parts.own_name(own)
    chosen = scheduler_parts.replacements(own, source.pipeline) if others else {name: own}
    entries = {}
    for entry, scheduler in chosen.items():
        file = f"schedulers/{entry}.pt"
        report(scheduler_parts.write_scheduler(entry, scheduler, folder / file))
        entries[entry] = {"file": file}
    return entries, name


def export_autoencoder(
    source: Source, folder: Path, network_class: type, family: str, options: Options, report: Report
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The latent space and the network's entry of model.json."""
    vae = source.network(autoencoder.COMPONENT, network_class)
    space, config = autoencoder.latent_space(vae), autoencoder.network_config(vae)
    report(autoencoder.write_autoencoder(vae, folder / "vae.safetensors", options.dtype))
    return space, {"file": "vae.safetensors", "family": family, "config": config}


def checked_sizes(unet: nn.Module, factor: int, options: Options) -> tuple[tuple[int, int], ...]:
    """Width and height in pixels: what was asked for, or the model's own. @raises Refusal."""
    native = unet.config.sample_size
    height, width = (native, native) if isinstance(native, int) else native
    sizes = options.sizes or ((width * factor, height * factor),)
    for size in sizes:
        fits = all(edge > 0 and edge % factor == 0 for edge in size)
        require(fits, "--sizes", f"multiples of {factor} pixels", f"{size[0]}x{size[1]}")
    return sizes


def manifest(source: Source, name: str, kind: str) -> dict[str, Any]:
    """The first lines of model.json."""
    return {
        "format": "lightswitch.model",
        "version": 1,
        "name": name,
        "kind": kind,
        "licence": source.licence(),
        "trained_on": "not stated by the exported folder",
    }


def card(source: Source, name: str, options: Options, comparisons: list[Comparison]) -> str:
    rows = "\n".join(f"- {comparison}" for comparison in comparisons)
    return (
        f"# {name}\n\n"
        f"A {source.pipeline}, exported by lightswitch_export with weights in {options.dtype}. Licence of the weights: "
        f"{source.licence()}.\n\n"
        f"Both sides on the same inputs, in fp32:\n\n{rows}\n"
    )

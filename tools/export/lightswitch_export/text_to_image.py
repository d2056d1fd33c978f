"""StableDiffusionPipeline and StableDiffusionXLPipeline to a text-to-image package."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Callable

from . import autoencoder, denoiser, scheduler_parts, text
from .package import CARD, write_manifest
from .refusal import require
from .source import Source
from .tracing import Comparison, export_traced

PIPELINES = {
    "StableDiffusionPipeline": False,
    "StableDiffusionImg2ImgPipeline": False,
    "LatentConsistencyModelPipeline": False,
    "StableDiffusionXLPipeline": True,
    "StableDiffusionXLImg2ImgPipeline": True,
}  # name -> has two text encoders
Report = Callable[[Comparison], None]


@dataclasses.dataclass(frozen=True)
class Options:
    dtype: str = "fp16"  # of the stored weights
    sizes: tuple[tuple[int, int], ...] = ()  # width, height in pixels: checked; the first is the package's default
    steps: int | None = None  # the package's defaults, where the pipeline's own are not right
    cfg_scale: float | None = None


@dataclasses.dataclass(frozen=True)
class _Text:
    parts: dict[str, Any]  # entries of model.json
    width: int  # of the hidden states together
    length: int  # tokens
    pooled: int | None  # width of text_embeds


def export(source: Source, folder: Path, name: str, options: Options, report: Report) -> None:
    """Writes a whole package into an existing empty folder. @raises Refusal naming the component."""
    big = PIPELINES[source.pipeline]
    comparisons: list[Comparison] = []

    def tell(comparison: Comparison) -> None:
        comparisons.append(comparison)
        report(comparison)

    schedulers, method = _export_schedulers(source, folder, tell)
    space = "sdxl" if big else "sd1"
    vae_space, vae_entry = _export_vae(source, folder, options, tell)
    words = _export_text(source, folder, big, options, tell)
    inputs, size = _export_unet(source, folder, words, vae_space, options, tell)
    zeros = big and bool(source.option("force_zeros_for_empty_prompt", True))
    consistency = method == "lcm"
    model = {
        "format": "lightswitch.model",
        "version": 1,
        "name": name,
        "kind": "text-to-image",
        "licence": source.licence(),
        "trained_on": "not stated by the exported folder",
        "latent_spaces": {space: vae_space},
        "parts": {
            **words.parts,
            "denoiser": {
                "file": "denoiser.pt",
                "inputs": inputs,
                "space": space,
                "empty_negative_prompt": "zeros" if zeros else "encoded",
            },
            "schedulers": schedulers,
            "decoders": {"vae": {"space": space, **vae_entry}},
            "encoders": {"vae": {"space": space, **vae_entry}},
        },
        "defaults": {
            "width": size[0],
            "height": size[1],
            "steps": options.steps or (4 if consistency else 50),
            "cfg_scale": (5.0 if big else 7.5) if options.cfg_scale is None else options.cfg_scale,
            "sampling_method": method,
            "decoder": "vae",
            "encoder": "vae",
            "strength": 0.8,
        },
    }
    (folder / CARD).write_text(_card(source, name, options, comparisons), encoding="utf-8")
    write_manifest(folder, model)


def _export_schedulers(source: Source, folder: Path, report: Report) -> tuple[dict[str, Any], str]:
    own = source.scheduler()
    entries = {}
    for name, scheduler in scheduler_parts.replacements(own, source.pipeline).items():
        file = f"schedulers/{name}.pt"
        report(scheduler_parts.write_scheduler(name, scheduler, folder / file))
        entries[name] = {"file": file}
    return entries, scheduler_parts.own_name(own)


def _export_vae(
    source: Source, folder: Path, options: Options, report: Report
) -> tuple[dict[str, Any], dict[str, Any]]:
    from diffusers import AutoencoderKL

    vae = source.network("vae", AutoencoderKL)
    space, config = autoencoder.latent_space(vae), autoencoder.network_config(vae)
    report(autoencoder.write_autoencoder(vae, folder / "vae.safetensors", options.dtype))
    return space, {"file": "vae.safetensors", "family": "kl", "config": config}


def _export_text(source: Source, folder: Path, big: bool, options: Options, report: Report) -> _Text:
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    plan = {"text_encoder": (CLIPTextModel, text.PenultimateHiddenStates if big else text.HiddenStates)}
    if big:
        plan["text_encoder_2"] = (CLIPTextModelWithProjection, text.PooledHiddenStates)
    parts: dict[str, Any] = {}
    width, pooled, lengths = 0, None, set()
    for component, (network_class, wrapper) in plan.items():
        encoder = source.network(component, network_class)
        text.check_encoder(component, encoder)
        tokenizer = component.replace("text_encoder", "tokenizer")
        positions = encoder.config.max_position_embeddings
        length = text.write_tokenizer(tokenizer, source.tokenizer(tokenizer), positions, folder / tokenizer)
        example = (text.example_ids(encoder, 2, 0)[:, :length],)
        others = [(text.example_ids(encoder, batch, batch)[:, :length],) for batch in (1, 3)]
        for comparison in export_traced(
            component, wrapper(encoder).eval(), folder / f"{component}.pt", options.dtype, example, others
        ):
            report(comparison)
        outputs = ["hidden_states", "text_embeds"] if wrapper is text.PooledHiddenStates else ["hidden_states"]
        parts[tokenizer] = {"folder": tokenizer, "type": "clip_bpe", "max_length": length}
        parts[component] = {"file": f"{component}.pt", "outputs": outputs}
        width += encoder.config.hidden_size
        pooled = encoder.config.projection_dim if "text_embeds" in outputs else pooled
        lengths.add(length)
    require(len(lengths) == 1, "tokenizer_2: model_max_length", "the first tokenizer's", sorted(lengths))
    return _Text(parts, width, lengths.pop(), pooled)


def _export_unet(
    source: Source, folder: Path, words: _Text, space: dict[str, Any], options: Options, report: Report
) -> tuple[list[str], tuple[int, int]]:
    """Names of the inputs, and the default size in pixels."""
    from diffusers import UNet2DConditionModel

    unet = source.network(denoiser.COMPONENT, UNet2DConditionModel)
    denoiser.check_unet(unet, space["channels"], words.width)
    factor = space["factor"]
    native = unet.config.sample_size
    native = (native, native) if isinstance(native, int) else tuple(reversed(native))
    sizes = options.sizes or ((native[0] * factor, native[1] * factor),)
    for size in sizes:
        fits = all(edge > 0 and edge % factor == 0 for edge in size)
        require(fits, "--sizes", f"multiples of {factor} pixels", f"{size[0]}x{size[1]}")

    def inputs(batch: int, height: int, width: int, seed: int) -> Any:
        return denoiser.example_inputs(unet, batch, height, width, words.length, words.pooled, seed)

    # Odd sizes, so that the trace holds the way that every size can go; batches of one and three beside two.
    cases = [inputs(1, 8, 12, 1), inputs(3, 11, 6, 2)]
    cases += [inputs(2, height // factor, width // factor, 3) for width, height in sizes]
    for comparison in export_traced(
        denoiser.COMPONENT, denoiser.Denoiser(unet).eval(), folder / "denoiser.pt", options.dtype, inputs(2, 9, 7, 0), cases
    ):
        report(comparison)
    return denoiser.input_names(unet), sizes[0]


def _card(source: Source, name: str, options: Options, comparisons: list[Comparison]) -> str:
    rows = "\n".join(f"- {comparison}" for comparison in comparisons)
    return (
        f"# {name}\n\n"
        f"A {source.pipeline}, exported by lightswitch_export with weights in {options.dtype}. Licence of the weights: "
        f"{source.licence()}.\n\n"
        f"Both sides on the same inputs, in fp32:\n\n{rows}\n"
    )

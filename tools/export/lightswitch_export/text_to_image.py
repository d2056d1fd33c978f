"""StableDiffusionPipeline and StableDiffusionXLPipeline to a text-to-image package."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from . import denoiser, text
from .package import CARD, write_manifest
from .parts import Options, Report, card, checked_sizes, export_autoencoder, export_schedulers, manifest
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


@dataclasses.dataclass(frozen=True)
class _Text:
    parts: dict[str, Any]  # entries of model.json
    width: int  # of the hidden states together
    length: int  # tokens
    pooled: int | None  # width of text_embeds


def export(source: Source, folder: Path, name: str, options: Options, report: Report) -> None:
    """Writes a whole package into an existing empty folder. @raises Refusal naming the component."""
    from diffusers import AutoencoderKL

    big = PIPELINES[source.pipeline]
    comparisons: list[Comparison] = []

    def tell(comparison: Comparison) -> None:
        comparisons.append(comparison)
        report(comparison)

    schedulers, method = export_schedulers(source, folder, tell, others=True)
    space = "sdxl" if big else "sd1"
    vae_space, vae_entry = export_autoencoder(source, folder, AutoencoderKL, "kl", options, tell)
    words = _export_text(source, folder, big, options, tell)
    inputs, size = _export_unet(source, folder, words, vae_space, options, tell)
    zeros = big and bool(source.option("force_zeros_for_empty_prompt", True))
    model = {
        **manifest(source, name, "text-to-image"),
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
            "steps": options.steps or (4 if method == "lcm" else 50),
            "cfg_scale": (5.0 if big else 7.5) if options.cfg_scale is None else options.cfg_scale,
            "sampling_method": method,
            "decoder": "vae",
            "encoder": "vae",
            "strength": 0.8,
        },
    }
    (folder / CARD).write_text(card(source, name, options, comparisons), encoding="utf-8")
    write_manifest(folder, model)


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
    sizes = checked_sizes(unet, factor, options)

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

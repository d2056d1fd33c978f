"""StableVideoDiffusionPipeline to an image-to-video package."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

import torch
from torch import Tensor, nn

from .package import CARD, write_manifest
from .parts import Options, Report, card, checked_sizes, export_autoencoder, export_schedulers, manifest
from .refusal import require
from .source import Source
from .tracing import Comparison, export_traced

PIPELINES = ("StableVideoDiffusionPipeline",)
SPACE = "svd"
INPUTS = ["sample", "timestep", "encoder_hidden_states", "added_time_ids"]
UNET, EYE = "unet", "image_encoder"


class VideoDenoiser(nn.Module):
    """sample [B, T, 2C, h, w] (noisy latents, then the picture's), timestep [], encoder_hidden_states [B, 1, D] and
    added_time_ids [B, 3] (frames a second - 1, motion bucket, noise added to the picture) -> [B, T, C, h, w]."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor, added_time_ids: Tensor) -> Tensor:
        return self.unet(sample, timestep, encoder_hidden_states, added_time_ids, return_dict=False)[0]


class PictureEmbedding(nn.Module):
    """Pictures [B, 3, S, S] in [0, 1], scaled to the encoder's size -> encoder_hidden_states [B, 1, D]."""

    def __init__(self, encoder: nn.Module, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(1, 3, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        return self.encoder((pictures - self.mean) / self.deviation).image_embeds.unsqueeze(1)


def export(source: Source, folder: Path, name: str, options: Options, report: Report) -> None:
    """Writes a whole package into an existing empty folder. @raises Refusal naming the component."""
    from diffusers import AutoencoderKLTemporalDecoder

    comparisons: list[Comparison] = []

    def tell(comparison: Comparison) -> None:
        comparisons.append(comparison)
        report(comparison)

    schedulers, method = export_schedulers(source, folder, tell, others=False)
    space, vae = export_autoencoder(source, folder, AutoencoderKLTemporalDecoder, "svd", options, tell)
    eye, width = _export_image_encoder(source, folder, options, tell)
    frames, size = _export_unet(source, folder, space, width, options, tell)
    model = {
        **manifest(source, name, "image-to-video"),
        "latent_spaces": {SPACE: space},
        "parts": {
            "image_encoder": eye,
            "denoiser": {"file": "denoiser.pt", "inputs": INPUTS, "space": SPACE},
            "schedulers": schedulers,
            "decoders": {"vae": {"space": SPACE, **vae}},
            "encoders": {"vae": {"space": SPACE, **vae}},
        },
        # Beside the sizes, what StableVideoDiffusionPipeline's call starts from.
        "defaults": {
            "width": size[0],
            "height": size[1],
            "video_frames": frames,
            "fps": 7,
            "motion_bucket": 127,
            "noise_aug": 0.02,
            "steps": options.steps or 25,
            "min_cfg": 1.0,
            "max_cfg": 3.0 if options.cfg_scale is None else options.cfg_scale,
            "sampling_method": method,
            "decoder": "vae",
            "encoder": "vae",
        },
    }
    (folder / CARD).write_text(card(source, name, options, comparisons), encoding="utf-8")
    write_manifest(folder, model)


def _export_image_encoder(
    source: Source, folder: Path, options: Options, report: Report
) -> tuple[dict[str, Any], int]:
    """Its entry of model.json, and the width of what it gives."""
    from transformers import CLIPVisionModelWithProjection

    encoder = source.network(EYE, CLIPVisionModelWithProjection)
    how = source.config("feature_extractor", "preprocessor_config.json")
    edge = encoder.config.image_size
    wanted = how.get("crop_size")
    require(wanted in (None, edge, {"height": edge, "width": edge}), "feature_extractor: crop_size", f"{edge}", wanted)
    module = PictureEmbedding(encoder, how["image_mean"], how["image_std"]).eval()

    def pictures(batch: int) -> tuple[Tensor]:
        return (torch.rand(batch, 3, edge, edge, generator=torch.Generator().manual_seed(batch)),)

    file = f"{EYE}.pt"
    for comparison in export_traced(EYE, module, folder / file, options.dtype, pictures(2), [pictures(1), pictures(3)]):
        report(comparison)
    return {"file": file, "outputs": ["encoder_hidden_states"], "size": edge}, encoder.config.projection_dim


def _export_unet(
    source: Source, folder: Path, space: dict[str, Any], text_width: int, options: Options, report: Report
) -> tuple[int, tuple[int, int]]:
    """The model's own number of frames, and the default size in pixels."""
    from diffusers import UNetSpatioTemporalConditionModel

    unet = source.network(UNET, UNetSpatioTemporalConditionModel)
    config = unet.config
    channels, factor = space["channels"], space["factor"]
    for field, expected in (("in_channels", 2 * channels), ("out_channels", channels)):
        require(config[field] == expected, f"{UNET}: {field}", f"{expected} for the VAE's latents", config[field])
    read = config.cross_attention_dim
    read = set(read) if isinstance(read, (list, tuple)) else {read}
    require(read == {text_width}, f"{UNET}: cross_attention_dim", f"{text_width}, the image encoder's", sorted(read))
    numbers = config.projection_class_embeddings_input_dim // config.addition_time_embed_dim
    require(numbers == 3, f"{UNET}: projection_class_embeddings_input_dim", "room for 3 time ids", numbers)
    sizes = checked_sizes(unet, factor, options)

    def inputs(batch: int, frames: int, height: int, width: int, seed: int) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(seed)
        ids = torch.tensor([[6.0, 100.0 + seed, 0.02]]).expand(batch, 3)
        sample = torch.randn(batch, frames, 2 * channels, height, width, generator=generator)
        embedding = torch.randn(batch, 1, text_width, generator=generator)
        # Continuous timesteps are a quarter of log sigma: numbers around zero.
        return sample, torch.tensor(1.6 - seed), embedding, ids

    cases = [inputs(1, 5, 8, 12, 1), inputs(2, 2, 11, 6, 2)]
    cases += [inputs(1, 3, height // factor, width // factor, 3) for width, height in sizes]
    module = VideoDenoiser(unet).eval()
    for comparison in export_traced(UNET, module, folder / "denoiser.pt", options.dtype, inputs(2, 3, 9, 7, 0), cases):
        report(comparison)
    return config.num_frames, sizes[0]

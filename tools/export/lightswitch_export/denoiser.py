"""UNets as modules of positional tensors, named as model.json lists them."""

from __future__ import annotations

from typing import Sequence

import torch
from torch import Tensor, nn

from .refusal import require

COMPONENT = "unet"


class Denoiser(nn.Module):
    """forward(sample, timestep, encoder_hidden_states, …): the inputs of `input_names`, in their order."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.unet = unet
        self.names = input_names(unet)

    def forward(self, *tensors: Tensor) -> Tensor:
        given = dict(zip(self.names, tensors, strict=True))
        condition = None
        if "guidance_scale" in given:
            condition = _guidance_embedding(given["guidance_scale"], self.unet.config.time_cond_proj_dim)
        added = {name: given[name] for name in ("text_embeds", "time_ids") if name in given}
        return self.unet(
            given["sample"],
            given["timestep"],
            given["encoder_hidden_states"],
            timestep_cond=condition,
            added_cond_kwargs=added or None,
            return_dict=False,
        )[0]


def input_names(unet: nn.Module) -> list[str]:
    names = ["sample", "timestep", "encoder_hidden_states"]
    if unet.config.time_cond_proj_dim is not None:
        names.append("guidance_scale")
    if unet.config.addition_embed_type == "text_time":
        names += ["text_embeds", "time_ids"]
    return names


def _guidance_embedding(scale: Tensor, width: int) -> Tensor:
    """What a guidance-distilled model reads in place of a second pass (arXiv 2310.04378, section 4.1).

    @param scale [B], as users give it; 1 means no guidance.
    """
    from diffusers.models.embeddings import get_timestep_embedding

    return get_timestep_embedding((scale - 1) * 1000, width, flip_sin_to_cos=False, downscale_freq_shift=1)


def check_unet(unet: nn.Module, channels: int, text_width: int) -> None:
    """@param channels of the VAE's latents. @param text_width of the text encoders' hidden states together."""
    config = unet.config
    for field in ("in_channels", "out_channels"):
        expected = f"{channels}, the VAE's latent channels (inpainting and upscaling models are not supported)"
        require(config[field] == channels, f"{COMPONENT}: {field}", expected, config[field])
    for field in ("class_embed_type", "encoder_hid_dim_type", "num_class_embeds"):
        require(config.get(field) is None, f"{COMPONENT}: {field}", "none", config.get(field))
    added = config.addition_embed_type
    require(added in (None, "text_time"), f"{COMPONENT}: addition_embed_type", "none or text_time", added)
    widths = config.cross_attention_dim
    widths = set(widths) if isinstance(widths, (list, tuple)) else {widths}
    expected = f"{text_width}, the text encoders' width"
    require(widths == {text_width}, f"{COMPONENT}: cross_attention_dim", expected, sorted(widths))


def example_inputs(
    unet: nn.Module, batch: int, height: int, width: int, length: int, pooled: int | None, seed: int
) -> Sequence[Tensor]:
    """Random inputs of latent size height x width. @param pooled width of text_embeds."""
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    context = unet.config.cross_attention_dim
    context = context[0] if isinstance(context, (list, tuple)) else context
    made = {
        "sample": noise(batch, unet.config.in_channels, height, width),
        # Without dimensions: a trace would freeze the batch size of a vector.
        "timestep": torch.tensor(float(torch.randint(1000, (), generator=generator))),
        "encoder_hidden_states": noise(batch, length, context),
        "guidance_scale": torch.full((batch,), 1.0 + seed),
    }
    if pooled is not None:
        made["text_embeds"] = noise(batch, pooled)
        made["time_ids"] = torch.tensor([[8.0 * height, 8.0 * width, 0, 0, 8.0 * height, 8.0 * width]]).expand(batch, 6)
    return [made[name] for name in input_names(unet)]

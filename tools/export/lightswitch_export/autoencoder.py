"""The VAE as safetensors in diffusers' names, which lightswitch's `kl` family reads."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .refusal import Refusal, require
from .tracing import DTYPES, Comparison, shapes

COMPONENT = "vae"


def latent_space(vae: nn.Module) -> dict[str, Any]:
    config = vae.config
    for field in ("latents_mean", "latents_std"):
        require(config.get(field) is None, f"{COMPONENT}: {field}", "none", config.get(field))
    return {
        "channels": config.latent_channels,
        "factor": 2 ** (len(config.block_out_channels) - 1),
        "scaling_factor": config.scaling_factor,
        "shift_factor": config.get("shift_factor") or 0.0,
    }


def network_config(vae: nn.Module) -> dict[str, str]:
    activation = vae.config.get("act_fn", "silu")
    require(activation == "silu", f"{COMPONENT}: act_fn", "silu", activation)
    config = {}
    groups = vae.config.get("norm_num_groups")  # AutoencoderKLTemporalDecoder has no choice
    if groups is not None:
        config["norm_num_groups"] = str(groups)
    if vae.config.get("force_upcast"):
        config["force_upcast"] = "true"  # its numbers overflow in fp16
    return config


def write_autoencoder(vae: nn.Module, path: Path, dtype: str) -> Comparison:
    """Writes decoder and encoder, reads them back into the same class and decodes the same latents with both."""
    from safetensors.torch import load_file, save_file

    # A decoder of clips wants to know how many frames there are.
    how = {"num_frames": 1} if "num_frames" in inspect.signature(type(vae).decode).parameters else {}
    latents = torch.randn(1, vae.config.latent_channels, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        original = vae.decode(latents, **how).sample
        state = {name: tensor.to(DTYPES[dtype]).contiguous() for name, tensor in vae.state_dict().items()}
        save_file(state, path, {"format": "pt"})
        read = type(vae).from_config(vae.config).eval()
        try:
            read.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
        except RuntimeError as error:
            raise Refusal(COMPONENT, "tensors of the class's own names", str(error).splitlines()[0]) from error
        vae.load_state_dict({name: tensor.float() for name, tensor in state.items()})
        expected, found = vae.decode(latents, **how).sample, read.decode(latents, **how).sample
    difference, rounded = float((found - expected).abs().max()), float((found - original).abs().max())
    result = Comparison(COMPONENT, shapes([latents]), difference, rounded, float(original.abs().max()))
    require(difference == 0, COMPONENT, "the same picture from the written file", str(result))
    return result

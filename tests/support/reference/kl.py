"""AutoencoderKL, as diffusers builds it, or as CompVis' latent-diffusion does."""

import torch
from diffusers import AutoencoderKL

from . import compvis
from .case import Autoencoder

OLD_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def old_name(name: str) -> str:
    """The name that diffusers gave an attention weight before version 0.13."""
    for new, old in OLD_NAMES.items():
        name = name.replace(f"attentions.0.{new}.", f"attentions.0.{old}.")
    return name


def build_compvis(config: dict) -> Autoencoder:
    """`config` goes to compvis.Halves; `scope` stands before every name, and the rest of a checkpoint around them."""
    scope = config.pop("scope", "")
    model = compvis.Halves(config, moments=True)

    def state() -> dict[str, torch.Tensor]:
        tensors = {scope + name: value for name, value in model.state_dict().items()}
        tensors[scope + "loss.logvar"] = torch.zeros(1)
        if scope:
            tensors["model.diffusion_model.out.2.weight"] = torch.zeros(4, 8, 3, 3)
        return tensors

    return Autoencoder(
        module=model,
        state=state,
        channels=model.channels,
        factor=model.factor,
        decode=model.decode,
        encode=lambda pictures: model.encode(pictures)[:, : model.channels],
        config={"norm_num_groups": str(config.get("groups", 32))},
    )


def build(config: dict) -> Autoencoder:
    """`config` goes to AutoencoderKL, or with `compvis` to that network; `scope` stands before every name; `old_names` and `conv_attention` choose how the file spells and shapes the attention."""
    config = dict(config)
    if config.pop("compvis", False):
        return build_compvis(config)
    scope = config.pop("scope", "")
    old_names, conv_attention = config.pop("old_names", False), config.pop("conv_attention", False)
    stages = len(config["block_out_channels"])
    config.setdefault("down_block_types", ["DownEncoderBlock2D"] * stages)
    config.setdefault("up_block_types", ["UpDecoderBlock2D"] * stages)
    model = AutoencoderKL(**config)

    def state() -> dict[str, torch.Tensor]:
        tensors = {old_name(name) if old_names else name: value for name, value in model.state_dict().items()}
        if conv_attention:
            for name, value in tensors.items():
                if ".attentions." in name and value.dim() == 2:
                    tensors[name] = value[:, :, None, None]
        return {scope + name: value for name, value in tensors.items()}

    return Autoencoder(
        module=model,
        state=state,
        channels=model.config.latent_channels,
        factor=2 ** (stages - 1),
        decode=lambda latents: model.decode(latents).sample,
        encode=lambda pictures: model.encode(pictures).latent_dist.mode(),
        config={"norm_num_groups": str(model.config.norm_num_groups), "scaling_factor": str(model.config.scaling_factor)},
    )

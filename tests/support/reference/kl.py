"""AutoencoderKL, as diffusers builds it."""

import torch
from diffusers import AutoencoderKL

from .case import Autoencoder

OLD_NAMES = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def old_name(name: str) -> str:
    """The name that diffusers gave an attention weight before version 0.13."""
    for new, old in OLD_NAMES.items():
        name = name.replace(f"attentions.0.{new}.", f"attentions.0.{old}.")
    return name


def build(config: dict) -> Autoencoder:
    """`config` goes to AutoencoderKL; `old_names` and `conv_attention` choose how the file spells and shapes the attention."""
    config = dict(config)
    old_names, conv_attention = config.pop("old_names", False), config.pop("conv_attention", False)
    stages = len(config["block_out_channels"])
    model = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * stages, up_block_types=("UpDecoderBlock2D",) * stages, **config
    )

    def state() -> dict[str, torch.Tensor]:
        tensors = {old_name(name) if old_names else name: value for name, value in model.state_dict().items()}
        if conv_attention:
            for name, value in tensors.items():
                if ".attentions." in name and value.dim() == 2:
                    tensors[name] = value[:, :, None, None]
        return tensors

    return Autoencoder(
        module=model,
        state=state,
        channels=model.config.latent_channels,
        factor=2 ** (stages - 1),
        decode=lambda latents: model.decode(latents).sample,
        encode=lambda pictures: model.encode(pictures).latent_dist.mode(),
        config={"norm_num_groups": str(model.config.norm_num_groups), "scaling_factor": str(model.config.scaling_factor)},
    )

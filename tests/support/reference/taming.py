"""AutoencoderTiny, as diffusers builds it."""

import torch
from diffusers import AutoencoderTiny

from .case import Autoencoder


def original_names(state: dict[str, torch.Tensor], half: str) -> dict[str, torch.Tensor]:
    """One half under the bare numbers of the original TAESD files, whose decoder counts the clamp as layer 0."""
    prefix, shift = f"{half}.layers.", 1 if half == "decoder" else 0
    tensors = {}
    for name, value in state.items():
        if name.startswith(prefix):
            number, rest = name.removeprefix(prefix).split(".", 1)
            tensors[f"{int(number) + shift}.{rest}"] = value
    return tensors


def build(config: dict) -> Autoencoder:
    """`config` goes to AutoencoderTiny; `original` ("decoder" or "encoder") keeps one half, under its original names.

    The class maps pictures to [-1, 1] and back; the networks themselves eat and give [0, 1].
    """
    config = dict(config)
    original = config.pop("original", None)
    width = config.pop("width", 64)
    model = AutoencoderTiny(encoder_block_out_channels=(width,) * 4, decoder_block_out_channels=(width,) * 4, **config)

    def state() -> dict[str, torch.Tensor]:
        return original_names(model.state_dict(), original) if original else model.state_dict()

    return Autoencoder(
        module=model,
        state=state,
        channels=model.config.latent_channels,
        factor=8,
        decode=None if original == "encoder" else lambda latents: model.decode(latents).sample / 2 + 0.5,
        encode=None if original == "decoder" else lambda pictures: model.encode(pictures * 2 - 1).latents,
        picture_range=(0.0, 1.0),
    )

"""AutoencoderTiny, as diffusers builds it, and with the pooling branch of TAEF2."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from PIL import Image, ImageOps
from torch import nn

from . import taming_video
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


def diffusers_names(state: dict[str, torch.Tensor], half: str) -> dict[str, torch.Tensor]:
    """The other way round."""
    shift = 1 if half == "decoder" else 0
    parts = {name: name.split(".", 1) for name in state}
    return {f"{half}.layers.{int(number) - shift}.{rest}": state[name] for name, (number, rest) in parts.items()}


class PoolingBlock(nn.Module):
    """A block of madebyollin/taesd's TAEF2 around one of diffusers: what a normed branch sees is added before the block."""

    def __init__(self, block: nn.Module, width: int):
        super().__init__()
        self.conv, self.skip, self.fuse = block.conv, block.skip, block.fuse
        wide = 4 * width
        self.pool = nn.Sequential(
            nn.Conv2d(width, wide, 1, bias=False), nn.GroupNorm(4, wide), nn.ReLU(), nn.Conv2d(wide, width, 1, bias=False)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.pool(x)
        return self.fuse(self.conv(x) + self.skip(x))


def add_pools(model: AutoencoderTiny, width: int) -> None:
    """To the three blocks at latent resolution of either half."""
    for layers, numbers in ((model.decoder.layers, (2, 3, 4)), (model.encoder.layers, (11, 12, 13))):
        for number in numbers:
            layers[number] = PoolingBlock(layers[number], width)


def taef2(folder: Path, picture: Path) -> Autoencoder:
    """The published weights, with a photograph, cut square and scaled to 256x256, to encode."""
    state = {}
    for half in ("decoder", "encoder"):
        stored = torch.load(folder / f"taef2_{half}.pth", map_location="cpu", weights_only=True)
        state |= diffusers_names({name: value.float() for name, value in stored.items()}, half)
    model = AutoencoderTiny(latent_channels=32, encoder_block_out_channels=(64,) * 4, decoder_block_out_channels=(64,) * 4)
    add_pools(model, 64)
    model.load_state_dict(state)
    model.eval()
    image = ImageOps.fit(Image.open(picture).convert("RGB"), (256, 256))
    return Autoencoder(
        module=nn.Identity(),  # nothing to fill with random numbers
        state=lambda: state,
        channels=32,
        factor=8,
        decode=lambda latents: model.decode(latents).sample / 2 + 0.5,
        encode=lambda pictures: model.encode(pictures * 2 - 1).latents,
        picture_range=(0.0, 1.0),
        pictures=torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255,
    )


def build(config: dict) -> Autoencoder:
    """`config` goes to AutoencoderTiny; `original` ("decoder" or "encoder") keeps one half, under its original names;
    `pools` adds TAEF2's branch. With `video` it is taming_video's; `taef2`
    and `picture` name the folder of published weights and a photograph.

    The class maps pictures to [-1, 1] and back; the networks themselves eat and give [0, 1].
    """
    if "video" in config:
        return taming_video.build(config)
    if "taef2" in config:
        return taef2(Path(config["taef2"]), Path(config["picture"]))
    config = dict(config)
    original = config.pop("original", None)
    width, pools = config.pop("width", 64), config.pop("pools", False)
    model = AutoencoderTiny(encoder_block_out_channels=(width,) * 4, decoder_block_out_channels=(width,) * 4, **config)
    if pools:
        add_pools(model, width)

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

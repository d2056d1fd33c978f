"""One matrix from latent channels to RGB, a square of pixels for each latent."""

import torch
from torch import nn
from torch.nn import functional as F

from .case import Autoencoder


def build(config: dict) -> Autoencoder:
    """config: latent_channels, factor."""
    channels, factor = config.get("latent_channels", 4), config.get("factor", 8)
    matrix = nn.Conv2d(channels, 3, 1)

    def decode(latents: torch.Tensor) -> torch.Tensor:
        return F.interpolate(matrix(latents), scale_factor=factor)

    return Autoencoder(
        module=matrix,
        state=lambda: {"latent_rgb." + name: value for name, value in matrix.state_dict().items()},
        channels=channels,
        factor=factor,
        decode=decode,
        config={"factor": str(factor)},
    )

"""The tiny autoencoder: AutoencoderTiny's networks (diffusers' state-dict names), blocks 3, 3, 3, 1.

TAEF2 (madebyollin/taesd) adds a pooling branch to the three blocks at latent resolution: `pooled`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    def __init__(self, width: int, pooled: bool = False):
        super().__init__()
        conv = lambda: nn.Conv2d(width, width, 3, padding=1)
        self.conv = nn.Sequential(conv(), nn.ReLU(), conv(), nn.ReLU(), conv())
        if pooled:
            pointwise = lambda inputs, outputs: nn.Conv2d(inputs, outputs, 1, bias=False)
            self.pool = nn.Sequential(
                pointwise(width, 4 * width), nn.GroupNorm(4, 4 * width), nn.ReLU(), pointwise(4 * width, width)
            )

    def forward(self, x: Tensor) -> Tensor:
        if hasattr(self, "pool"):
            x = x + self.pool(x)
        return F.relu(self.conv(x) + x)


class TinyDecoder(nn.Module):
    """Scaled latents (as the denoiser holds them) to pictures in -1..1."""

    def __init__(self, width: int, latent_channels: int = 4, pooled: bool = False):
        super().__init__()
        layers = [nn.Conv2d(latent_channels, width, 3, padding=1), nn.ReLU()]
        for stage in range(3):
            layers += [Block(width, pooled and stage == 0) for _ in range(3)]
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1, bias=False)]
        self.layers = nn.Sequential(*layers, Block(width), nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(3 * torch.tanh(z / 3)) * 2 - 1


class TinyEncoder(nn.Module):
    """Pictures in -1..1 to scaled latents."""

    def __init__(self, width: int, latent_channels: int = 4, pooled: bool = False):
        super().__init__()
        layers = [nn.Conv2d(3, width, 3, padding=1), Block(width)]
        for stage in range(3):
            layers += [nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False)]
            layers += [Block(width, pooled and stage == 2) for _ in range(3)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, latent_channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers((x + 1) / 2)

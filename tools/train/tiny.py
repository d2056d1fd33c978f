"""The tiny decoder: AutoencoderTiny's decoder (diffusers' state-dict names), blocks 3, 3, 3, 1."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        conv = lambda: nn.Conv2d(width, width, 3, padding=1)
        self.conv = nn.Sequential(conv(), nn.ReLU(), conv(), nn.ReLU(), conv())

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x) + x)


class TinyDecoder(nn.Module):
    """Scaled latents (as the denoiser holds them) to pictures in -1..1."""

    def __init__(self, width: int, latent_channels: int = 4):
        super().__init__()
        layers = [nn.Conv2d(latent_channels, width, 3, padding=1), nn.ReLU()]
        for _ in range(3):
            layers += [Block(width) for _ in range(3)]
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1, bias=False)]
        self.layers = nn.Sequential(*layers, Block(width), nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(3 * torch.tanh(z / 3)) * 2 - 1

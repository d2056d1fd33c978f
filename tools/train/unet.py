"""The denoiser of models/scenes: a small U-Net over latents, made for few samples and a CPU.

Three resolutions; attention to itself and to the caption's tokens on the two lower ones. Norms work on the channels
of one position (fast in channels-last, and no size is special); the coordinates of each position are part of the
input, so that "left" and "right" need not be learned from the borders.
"""

from __future__ import annotations

import math
from typing import List

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def normed(x: Tensor) -> Tensor:
    """Zero mean and unit variance over the channels of each position of [B, C, H, W]."""
    return F.layer_norm(x.permute(0, 2, 3, 1), [x.shape[1]]).permute(0, 3, 1, 2)


def zeroed(layer: nn.Module) -> nn.Module:
    """A block that starts as the identity trains faster and never explodes at first."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


class Residual(nn.Module):
    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.film = nn.Linear(embedding, 2 * width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = zeroed(nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, dim=1)
        y = self.conv1(F.silu(normed(x)))
        return x + self.conv2(F.silu(normed(y) * (1 + scale) + shift))


class Attention(nn.Module):
    """Every position reads all positions and, with a query of its own, the caption's tokens."""

    def __init__(self, width: int, context: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries = nn.Linear(width, 4 * width)
        self.context = nn.Linear(context, 2 * width)
        self.out = zeroed(nn.Linear(2 * width, width))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        batch, width, height, across = x.shape
        positions = F.layer_norm(x.permute(0, 2, 3, 1).reshape(batch, height * across, width), [width])
        q, k, v, asks = self._split(self.queries(positions), 4)
        keys, values = self._split(self.context(context), 2)
        here = self._attend(q, k, v)
        told = self._attend(asks, keys, values)
        read = torch.cat([here, told], dim=1).transpose(1, 2).reshape(batch, height * across, 2 * width)
        return x + self.out(read).reshape(batch, height, across, width).permute(0, 3, 1, 2)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if self.training:  # the fused kernel's backward pass is nine times slower than this in bfloat16
            return (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1) @ v
        return F.scaled_dot_product_attention(q, k, v)

    def _split(self, x: Tensor, parts: int) -> List[Tensor]:
        batch, length, width = x.shape
        heads = x.reshape(batch, length, parts, self.heads, width // parts // self.heads)
        return heads.permute(2, 0, 3, 1, 4).unbind(0)


class Stage(nn.Module):
    """Residual blocks of one resolution, each followed by attention where the stage has it."""

    def __init__(self, width: int, depth: int, embedding: int, context: int, heads: int) -> None:
        super().__init__()
        self.residuals = nn.ModuleList(Residual(width, embedding) for _ in range(depth))
        self.attentions = nn.ModuleList(
            Attention(width, context, heads) if heads else NoAttention() for _ in range(depth)
        )

    def forward(self, x: Tensor, embedding: Tensor, context: Tensor) -> Tensor:
        for residual, attention in zip(self.residuals, self.attentions):
            x = attention(residual(x, embedding), context)
        return x


class NoAttention(nn.Module):
    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        return x


class UNet(nn.Module):
    """v-prediction from noisy latents; sizes are multiples of 2 ** (levels - 1) latents."""

    def __init__(self, channels: int, widths: List[int], down: List[int], up: List[int], heads: List[int],
                 embedding: int, context: int, context_tokens: int) -> None:  # fmt: skip
        super().__init__()
        self.time_width = 128
        self.factor = 2 ** (len(widths) - 1)
        self.time = nn.Sequential(nn.Linear(self.time_width, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.summary = nn.Linear(context * context_tokens, embedding)
        self.mix = nn.Sequential(nn.SiLU(), nn.Linear(embedding, embedding), nn.SiLU())
        self.conv_in = nn.Conv2d(channels + 2, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            Stage(width, depth, embedding, context, head) for width, depth, head in zip(widths[:-1], down, heads)
        )
        self.shrink = nn.ModuleList(nn.Conv2d(4 * a, b, 1) for a, b in zip(widths, widths[1:]))
        # From the lowest resolution up, in the order of use.
        self.middle = Stage(widths[-1], up[-1], embedding, context, heads[-1])
        rising = list(zip(widths, widths[1:], up, heads))[::-1]
        self.grow = nn.ModuleList(nn.Conv2d(lower, 4 * width, 1) for width, lower, _, _ in rising)
        self.join = nn.ModuleList(nn.Conv2d(2 * width, width, 1) for width, _, _, _ in rising)
        self.up = nn.ModuleList(Stage(width, depth, embedding, context, head) for width, _, depth, head in rising)
        self.conv_out = zeroed(nn.Conv2d(widths[0], channels, 3, padding=1))

    def forward(self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor) -> Tensor:
        """sample [B, C, h, w], timestep [] or [B], encoder_hidden_states [B, L, D] -> v [B, C, h, w]."""
        batch = sample.shape[0]
        if sample.shape[2] % self.factor != 0 or sample.shape[3] % self.factor != 0:
            raise ValueError(f"sample: expected sides in multiples of {self.factor}, found {sample.shape[2:]}")
        embedding = self.time(self._waves(timestep.to(sample.dtype).expand(batch)))
        embedding = self.mix(embedding + self.summary(encoder_hidden_states.flatten(1)))
        x = torch.cat([sample, self._coordinates(sample)], dim=1).contiguous(memory_format=torch.channels_last)
        x = self.conv_in(x)
        kept: List[Tensor] = []
        for stage, shrink in zip(self.down, self.shrink):
            x = stage(x, embedding, encoder_hidden_states)
            kept.append(x)
            x = shrink(_folded(x))
        x = self.middle(x, embedding, encoder_hidden_states)
        for grow, join, stage in zip(self.grow, self.join, self.up):
            x = join(torch.cat([_unfolded(grow(x)), kept.pop()], dim=1))
            x = stage(x, embedding, encoder_hidden_states)
        return self.conv_out(F.silu(normed(x)))

    def _waves(self, timestep: Tensor) -> Tensor:
        half = self.time_width // 2
        steps = torch.arange(half, device=timestep.device, dtype=torch.float32)
        angles = timestep[:, None] * torch.exp(-math.log(10000.0) / half * steps)
        return torch.cat([angles.cos(), angles.sin()], dim=1).to(timestep.dtype)

    def _coordinates(self, sample: Tensor) -> Tensor:
        batch, _, height, width = sample.shape
        rows = torch.linspace(-1, 1, height, device=sample.device, dtype=sample.dtype)
        columns = torch.linspace(-1, 1, width, device=sample.device, dtype=sample.dtype)
        grid = torch.stack([rows[:, None].expand(height, width), columns[None, :].expand(height, width)])
        return grid.expand(batch, 2, height, width)


def _folded(x: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, 4C, H/2, W/2], every 2x2 square of positions in one; plain reshapes of channels-last."""
    batch, width, height, across = x.shape
    squares = x.permute(0, 2, 3, 1).reshape(batch, height // 2, 2, across // 2, 2, width)
    return squares.permute(0, 1, 3, 2, 4, 5).reshape(batch, height // 2, across // 2, 4 * width).permute(0, 3, 1, 2)


def _unfolded(x: Tensor) -> Tensor:
    """The inverse of `_folded`."""
    batch, width, height, across = x.shape
    squares = x.permute(0, 2, 3, 1).reshape(batch, height, across, 2, 2, width // 4)
    return squares.permute(0, 1, 3, 2, 4, 5).reshape(batch, 2 * height, 2 * across, width // 4).permute(0, 3, 1, 2)

"""AutoencoderKL's encoder and full decoder (diffusers' state-dict names) at any width, two resnets per block."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class ResnetBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, groups: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs, eps=1e-6)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm2 = nn.GroupNorm(groups, outputs, eps=1e-6)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        if inputs != outputs:
            self.conv_shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.silu(self.norm1(x)))
        y = self.conv2(F.silu(self.norm2(y)))
        return y + (self.conv_shortcut(x) if hasattr(self, "conv_shortcut") else x)


class Attention(nn.Module):
    """One head over all pixels."""

    def __init__(self, channels: int, groups: int):
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x: Tensor) -> Tensor:
        y = self.group_norm(x).flatten(2).transpose(1, 2)
        y = F.scaled_dot_product_attention(*(project(y)[:, None] for project in (self.to_q, self.to_k, self.to_v)))[
            :, 0
        ]
        return x + self.to_out[0](y).transpose(1, 2).reshape_as(x)


class MidBlock(nn.Module):
    def __init__(self, channels: int, groups: int, block: type[nn.Module] = ResnetBlock):
        super().__init__()
        self.attentions = nn.ModuleList([Attention(channels, groups)])
        self.resnets = nn.ModuleList([block(channels, channels, groups) for _ in range(2)])

    def forward(self, x: Tensor) -> Tensor:
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


class Upsampler(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class UpBlock(nn.Module):
    def __init__(
        self, inputs: int, outputs: int, groups: int, upsample: bool, block: type[nn.Module] = ResnetBlock
    ):
        super().__init__()
        self.resnets = nn.ModuleList([block(inputs if i == 0 else outputs, outputs, groups) for i in range(3)])
        if upsample:
            self.upsamplers = nn.ModuleList([Upsampler(outputs)])

    def forward(self, x: Tensor) -> Tensor:
        for resnet in self.resnets:
            x = resnet(x)
        return self.upsamplers[0](x) if hasattr(self, "upsamplers") else x


class Downsampler(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class DownBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, groups: int, downsample: bool):
        super().__init__()
        self.resnets = nn.ModuleList([ResnetBlock(inputs if i == 0 else outputs, outputs, groups) for i in range(2)])
        if downsample:
            self.downsamplers = nn.ModuleList([Downsampler(outputs)])

    def forward(self, x: Tensor) -> Tensor:
        for resnet in self.resnets:
            x = resnet(x)
        return self.downsamplers[0](x) if hasattr(self, "downsamplers") else x


def start_shallow(network: nn.Module) -> None:
    """Every residual branch starts small: a shallow network that deepens as it learns."""
    for module in network.modules():
        if isinstance(module, ResnetBlock):
            nn.init.normal_(module.conv2.weight, std=1e-3)
        elif isinstance(module, Attention):
            nn.init.normal_(module.to_out[0].weight, std=1e-3)


class KLEncoder(nn.Module):
    """Pictures in -1..1 to `outputs` channels at 1/2^(len(widths) - 1): twice the latent's for KL's mean and spread."""

    def __init__(self, widths: list[int], groups: int, outputs: int):
        super().__init__()
        self.conv_in = nn.Conv2d(3, widths[0], 3, padding=1)
        pairs = zip(widths[:1] + widths[:-1], widths)
        self.down_blocks = nn.ModuleList([DownBlock(i, o, groups, n + 1 < len(widths)) for n, (i, o) in enumerate(pairs)])
        self.mid_block = MidBlock(widths[-1], groups)
        self.conv_norm_out = nn.GroupNorm(groups, widths[-1], eps=1e-6)
        self.conv_out = nn.Conv2d(widths[-1], outputs, 3, padding=1)
        start_shallow(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for block in self.down_blocks:
            x = block(x)
        return self.conv_out(F.silu(self.conv_norm_out(self.mid_block(x))))


class KLDecoder(nn.Module):
    """Raw latents to pictures in -1..1. `widths` run from full resolution down, as diffusers' block_out_channels."""

    BLOCK: type[nn.Module] = ResnetBlock

    def __init__(self, widths: list[int], groups: int, latent_channels: int = 4):
        super().__init__()
        reverse = list(reversed(widths))
        self.conv_in = nn.Conv2d(latent_channels, reverse[0], 3, padding=1)
        self.mid_block = MidBlock(reverse[0], groups, self.BLOCK)
        pairs = zip([reverse[0]] + reverse[:-1], reverse)
        self.up_blocks = nn.ModuleList(
            [UpBlock(i, o, groups, n + 1 < len(reverse), self.BLOCK) for n, (i, o) in enumerate(pairs)]
        )
        self.conv_norm_out = nn.GroupNorm(groups, reverse[-1], eps=1e-6)
        self.conv_out = nn.Conv2d(reverse[-1], 3, 3, padding=1)
        start_shallow(self)

    def forward(self, z: Tensor) -> Tensor:
        x = self.mid_block(self.conv_in(z))
        for block in self.up_blocks:
            x = block(x)
        return self.conv_out(F.silu(self.conv_norm_out(x)))

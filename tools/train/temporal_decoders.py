"""Decoders of clips: the full one in the layout of AutoencoderKLTemporalDecoder (diffusers' names), the light one in
that of DecoderTinyTemporal (arXiv 2503.04871). Both take one clip [T, 4, h, w] and see all of its frames at once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.kl import KLDecoder, MidBlock, ResnetBlock
from train.tiny import Block


class ConvAlong(nn.Conv3d):
    """Every position sees itself one frame before and one after, zeros beyond the ends: [1, C, T, H * W] to the same.

    Weights are stored as a convolution over time, height and width; it runs over time as the height of a picture.
    """

    def __init__(self, channels: int):
        super().__init__(channels, channels, (3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight[..., 0], self.bias, padding=(1, 0))


def lined_up(frames: Tensor) -> Tensor:
    """[T, C, H, W] to [1, C, T, H * W]."""
    return frames.flatten(2).transpose(0, 1)[None]


class TemporalResnet(nn.Module):
    """Frames [T, C, H, W] to the same; norms take their statistics over the whole clip."""

    def __init__(self, channels: int, groups: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, channels, eps=1e-5)
        self.conv1 = ConvAlong(channels)
        self.norm2 = nn.GroupNorm(groups, channels, eps=1e-5)
        self.conv2 = ConvAlong(channels)
        nn.init.normal_(self.conv2.weight, std=1e-3)  # starts as the decoder of pictures it was made from
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.silu(self.norm1(lined_up(x))))
        y = self.conv2(F.silu(self.norm2(y)))
        return x + y[0].transpose(0, 1).reshape(x.shape)


class TimeMixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix_factor = nn.Parameter(torch.zeros(1))


class SpatioTemporalBlock(nn.Module):
    """Each frame [T, C, H, W] alone, then a learned share of what lies before and after it."""

    def __init__(self, inputs: int, outputs: int, groups: int):
        super().__init__()
        self.spatial_res_block = ResnetBlock(inputs, outputs, groups)
        self.temporal_res_block = TemporalResnet(outputs, groups)
        self.time_mixer = TimeMixer()

    def forward(self, x: Tensor) -> Tensor:
        alone = self.spatial_res_block(x)
        along = self.temporal_res_block(alone)
        share = self.time_mixer.mix_factor.sigmoid()
        return (1 - share) * alone + share * along


class KLTemporalDecoder(KLDecoder):
    """Raw latents of a clip [T, C, h, w] to frames in -1..1."""

    BLOCK = SpatioTemporalBlock

    def __init__(self, widths: list[int], groups: int, latent_channels: int = 4):
        super().__init__(widths, groups, latent_channels)
        self.time_conv_out = ConvAlong(3)
        with torch.no_grad():
            self.time_conv_out.bias.zero_()
            self.time_conv_out.weight.zero_()
            self.time_conv_out.weight[:, :, 1, 0, 0] = torch.eye(3)

    def forward(self, z: Tensor) -> Tensor:
        frames = super().forward(z)
        return self.time_conv_out(lined_up(frames))[0].transpose(0, 1).reshape(frames.shape)


class TinyTemporalDecoder(nn.Module):
    """Scaled latents of a clip [T, C, h, w] to frames in -1..1; blocks 3, 2, 2, 1, bilinear in between."""

    MIDDLE = 7  # layers before the middle block, which works at twice the latents' resolution

    def __init__(self, width: int, groups: int, latent_channels: int = 4):
        super().__init__()
        layers = [nn.Conv2d(latent_channels, width, 3, padding=1), nn.ReLU()]
        for blocks in (3, 2, 2):
            layers += [Block(width) for _ in range(blocks)]
            layers += [nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)]
            layers += [nn.Conv2d(width, width, 3, padding=1, bias=False)]
        self.layers = nn.Sequential(*layers, Block(width), nn.Conv2d(width, 3, 3, padding=1))
        self.mid_block = MidBlock(width, groups, SpatioTemporalBlock)
        for resnet in self.mid_block.resnets:
            nn.init.normal_(resnet.spatial_res_block.conv2.weight, std=1e-3)
        nn.init.normal_(self.mid_block.attentions[0].to_out[0].weight, std=1e-3)

    def forward(self, z: Tensor) -> Tensor:
        x = self.mid_block(self.layers[: self.MIDDLE](3 * torch.tanh(z / 3)))
        return self.layers[self.MIDDLE :](x) * 2 - 1


# Where the layers of a decoder of pictures with blocks 3, 3, 3, 1 stand among those with 3, 2, 2, 1.
_PLACES = {0: 0, 2: 2, 3: 3, 4: 4, 6: 6, 7: 7, 8: 8, 11: 10, 12: 11, 13: 12, 16: 14, 17: 15, 18: 16}


def start_from_pictures(decoder: nn.Module, weights: dict[str, Tensor]) -> None:
    """Takes over the weights of a decoder of pictures of the same widths (KLDecoder, TinyDecoder)."""
    taken = {}
    for name, value in weights.items():
        if isinstance(decoder, TinyTemporalDecoder):
            _, place, rest = name.split(".", 2)
            if int(place) in _PLACES:
                taken[f"layers.{_PLACES[int(place)]}.{rest}"] = value
        else:
            part, dot, rest = name.partition(".resnets.")
            number, _, rest = rest.partition(".")
            taken[f"{part}.resnets.{number}.spatial_res_block.{rest}" if dot else name] = value
    missing, unexpected = decoder.load_state_dict(taken, strict=False)
    own = ("temporal_res_block", "time_mixer", "time_conv_out", "mid_block")
    if unexpected or not all(any(part in name for part in own) for name in missing):
        raise ValueError(f"not a decoder of the same widths: unknown {unexpected}, missing {missing}")

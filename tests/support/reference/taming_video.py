"""Tiny decoders of videos, in the smallest form that computes what their authors' do: TAESDV and TAEHV (madebyollin), and the
DecoderTinyTemporal of arXiv 2503.04871, around diffusers' own blocks."""

from unittest import mock

import torch
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock, EncoderTiny
from diffusers.models.unets.unet_3d_blocks import MidBlockTemporalDecoder
from torch import nn
from torch.nn import functional as F

from .case import Autoencoder

GroupNorm = nn.GroupNorm


def conv3(inputs: int, outputs: int, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)


class Bound(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 3 * torch.tanh(x / 3)


class MemoryBlock(nn.Module):
    """Sees each frame [T, C, H, W] beside the one before it, zeros before the first."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.Sequential(conv3(2 * width, width), nn.ReLU(), conv3(width, width), nn.ReLU(), conv3(width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        past = torch.cat([torch.zeros_like(x[:1]), x[:-1]])
        return F.relu(self.conv(torch.cat([x, past], 1)) + x)


class WideMemoryBlock(MemoryBlock):
    def __init__(self, width: int, groups: int):
        super().__init__(width)
        layers = [nn.Conv2d(2 * width, width, 1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, groups=groups), nn.ReLU()]
        layers += [nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, groups=groups)]
        self.conv = nn.Sequential(*layers)


class Shrink(nn.Module):
    """Makes one frame of each `times`."""

    def __init__(self, width: int, times: int):
        super().__init__()
        self.conv = nn.Conv2d(width * times, width, 1, bias=False)
        self.times = times

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x.reshape(-1, self.times * x.shape[1], *x.shape[2:]))


class Grow(nn.Module):
    """Makes `times` frames of each."""

    def __init__(self, width: int, times: int):
        super().__init__()
        self.conv = nn.Conv2d(width, width * times, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x).reshape(-1, *x.shape[1:])


def taesdv(width: int, channels: int) -> nn.Sequential:
    layers = [Bound(), conv3(channels, width), nn.ReLU()]
    for _ in range(3):
        layers += [*(MemoryBlock(width) for _ in range(3)), nn.Upsample(scale_factor=2), conv3(width, width, False)]
    return nn.Sequential(*layers, MemoryBlock(width), conv3(width, 3))


def taehv(widths: list[int], channels: int, growth: list[int], patch: int, groups: list[int] | None) -> nn.Sequential:
    """`groups`: of the grouped convolutions at each width, in wide files."""
    layers = [Bound(), conv3(channels, widths[0]), nn.ReLU()]
    for stage, (width, following, times) in enumerate(zip(widths, widths[1:], growth)):
        layers += [WideMemoryBlock(width, groups[stage]) if groups else MemoryBlock(width) for _ in range(3)]
        layers += [nn.Upsample(scale_factor=2), Grow(width, times), conv3(width, following, False)]
    layers += [nn.ReLU(), conv3(widths[-1], 3 * patch**2)]
    return nn.Sequential(*layers, nn.PixelShuffle(patch))


def taehv_encoder(width: int, channels: int, shrinking: list[int], patch: int) -> nn.Sequential:
    layers = [conv3(3 * patch**2, width), nn.ReLU()]
    for times in shrinking:
        layers += [Shrink(width, times), nn.Conv2d(width, width, 3, stride=2, padding=1, bias=False)]
        layers += [MemoryBlock(width) for _ in range(3)]
    return nn.Sequential(*layers, conv3(width, channels))


class TinyTemporal(nn.Module):
    """Bilinear, blocks 3, 2, 2, 1; the middle comes behind layer 6 and sees all frames."""

    def __init__(self, width: int, channels: int, groups: int = 32):
        super().__init__()
        layers = [conv3(channels, width), nn.ReLU()]
        for blocks in (3, 2, 2):
            layers += [AutoencoderTinyBlock(width, width, "relu") for _ in range(blocks)]
            layers += [nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False), conv3(width, width, False)]
        self.layers = nn.Sequential(*layers, AutoencoderTinyBlock(width, width, "relu"), conv3(width, 3))
        # diffusers' classes have 32 groups, whatever the width.
        with mock.patch("torch.nn.GroupNorm", lambda **arguments: GroupNorm(**(arguments | {"num_groups": groups}))):
            self.mid_block = MidBlockTemporalDecoder(
                num_layers=2, in_channels=width, out_channels=width, attention_head_dim=min(96, width)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layers[:7](3 * torch.tanh(x / 3))
        x = self.mid_block(x, image_only_indicator=torch.zeros(1, len(x)))
        return self.layers[7:](x)


def build(config: dict) -> Autoencoder:
    """config: `video` ("taesdv", "taehv" or "tiny_temporal"), width, latent_channels, frames; TAEHV's widths, growth, patch, groups of
    each width in wide files and, where there is an encoder, its width and shrinking; tiny_temporal's groups."""
    kind, channels = config["video"], config.get("latent_channels", 4)
    patch, growth, prefix = config.get("patch", 1), [1], "decoder."
    if kind == "taehv":
        growth = config["growth"]
        network = taehv(config["widths"], channels, growth, patch, config.get("wide_groups"))
    elif kind == "taesdv":
        network = taesdv(config["width"], channels)
    else:
        prefix, network = "", TinyTemporal(config["width"], channels, config.get("groups", 32))
    dropped = int(torch.tensor(growth).prod()) - 1

    def decode_frames(clip: torch.Tensor) -> torch.Tensor:
        return network(clip.transpose(0, 1))[dropped:]

    parts, encode = {prefix: network}, None
    if kind == "taesdv" and config.get("encoder"):
        encode = parts["encoder."] = EncoderTiny(3, channels, (1, 3, 3, 3), (config["width"],) * 4, "relu").layers
    if "shrinking" in config:
        shrinking = config["shrinking"]
        encoder = parts["encoder."] = taehv_encoder(config["encoder_width"], channels, shrinking, patch)
        repeats = int(torch.tensor(shrinking).prod())

        def encode(pictures: torch.Tensor) -> torch.Tensor:
            clips = [F.pixel_unshuffle(picture.expand(repeats, -1, -1, -1), patch) for picture in pictures.split(1)]
            return torch.cat([encoder(clip) for clip in clips])

    return Autoencoder(
        module=nn.ModuleList(parts.values()),
        state=lambda: {start + name: value for start, part in parts.items() for name, value in part.state_dict().items()},
        channels=channels,
        factor=8 * patch,
        decode=lambda latents: torch.cat([decode_frames(latent.unsqueeze(1)) for latent in latents]),
        decode_frames=decode_frames,
        encode=encode,
        picture_range=(0.0, 1.0),
        frames=config.get("frames", 4),
        config={"norm_num_groups": str(config["groups"])} if "groups" in config else {},
    )

"""Deep-compression autoencoder in plain torch, with the state-dict names of mit-han-lab/efficientvit.

Stages are listed from full resolution down, as there: a stage of depth 0 has neither blocks nor a resampler, and
with depth[0] == 0 project_in and project_out halve and double the resolution themselves.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ACTIVATIONS = {"relu": nn.ReLU, "silu": nn.SiLU}


class RMSNorm2d(nn.Module):
    """trms2d: root-mean-square norm over the channels of each pixel."""

    def __init__(self, channels: int, eps: float = 1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        x = x * torch.rsqrt(x.square().mean(1, keepdim=True) + self.eps)
        return x * self.weight[:, None, None] + self.bias[:, None, None]


class FixedBatchNorm(nn.BatchNorm2d):
    """bn2d whose statistics stay at mean 0, variance 1: a learned scale and shift that folds into its convolution.

    Small batches make poor statistics; the file stays an ordinary bn2d checkpoint.
    """

    def __init__(self, channels: int):
        super().__init__(channels)
        nn.init.constant_(self.weight, 0.5)

    def train(self, mode: bool = True):
        return super().train(False)


NORMS = {"bn2d": FixedBatchNorm, "trms2d": RMSNorm2d}


class ConvLayer(nn.Module):
    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, bias: bool = True, groups: int = 1, norm: str | None = None
    ):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias, groups=groups)
        if norm:
            self.norm = NORMS[norm](outputs)

    def forward(self, x: Tensor) -> Tensor:
        norm = getattr(self, "norm", None)
        if isinstance(norm, FixedBatchNorm):
            scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
            return F.conv2d(
                x,
                self.conv.weight * scale[:, None, None, None],
                norm.bias - norm.running_mean * scale,
                padding=self.conv.padding,
            )
        x = self.conv(x)
        return norm(x) if norm is not None else x


class Residual(nn.Module):
    def __init__(self, main: nn.Module, shortcut: nn.Module | None = None):
        super().__init__()
        self.main = main
        self.shortcut = shortcut or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.main(x) + self.shortcut(x)


class OpList(nn.Module):
    def __init__(self, *ops: nn.Module):
        super().__init__()
        self.op_list = nn.ModuleList(ops)

    def forward(self, x: Tensor) -> Tensor:
        for op in self.op_list:
            x = op(x)
        return x


class ResBlock(nn.Module):
    def __init__(self, channels: int, norm: str, act: str):
        super().__init__()
        self.conv1 = ConvLayer(channels, channels)
        self.act = ACTIVATIONS[act]()
        self.conv2 = ConvLayer(channels, channels, bias=False, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.act(self.conv1(x)))


class LiteMLA(nn.Module):
    """ReLU linear attention: every head keeps sums over all pixels instead of a map of weights."""

    def __init__(self, channels: int, norm: str, dim: int = 32):
        super().__init__()
        self.dim = dim
        self.qkv = ConvLayer(channels, 3 * channels, 1, bias=False)
        self.proj = ConvLayer(channels, channels, 1, bias=False, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, -1, 3 * self.dim, height * width).split(self.dim, 2)
        q, v = F.relu(q), F.pad(v, (0, 0, 0, 1), value=1.0)
        out = (v @ F.relu(k).transpose(-1, -2)) @ q
        out = out[:, :, :-1] / (out[:, :, -1:] + 1e-15)
        return self.proj(out.reshape(batch, channels, height, width))


class GLUMBConv(nn.Module):
    def __init__(self, channels: int, norm: str, act: str, expand: int = 4):
        super().__init__()
        self.inverted_conv = ConvLayer(channels, 2 * expand * channels, 1)
        self.depth_conv = ConvLayer(2 * expand * channels, 2 * expand * channels, groups=2 * expand * channels)
        self.point_conv = ConvLayer(expand * channels, channels, 1, bias=False, norm=norm)
        self.act = ACTIVATIONS[act]()

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.depth_conv(self.act(self.inverted_conv(x))).chunk(2, 1)
        return self.point_conv(value * self.act(gate))


class EViTGLU(nn.Module):
    def __init__(self, channels: int, norm: str, act: str):
        super().__init__()
        self.context_module = Residual(LiteMLA(channels, norm))
        self.local_module = Residual(GLUMBConv(channels, norm, act))

    def forward(self, x: Tensor) -> Tensor:
        return self.local_module(self.context_module(x))


def block(kind: str, channels: int, norm: str, act: str) -> nn.Module:
    return (
        Residual(ResBlock(channels, norm, act))
        if kind == "ResBlock"
        else {"EViT_GLU": EViTGLU}[kind](channels, norm, act)
    )


class Unshuffle(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = ConvLayer(inputs, outputs // 4)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_unshuffle(self.conv(x), 2)


class Shuffle(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = ConvLayer(inputs, outputs * 4)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.conv(x), 2)


class Averaging(nn.Module):
    """Space to channel (by `factor`), then groups of channels averaged down to `outputs`."""

    def __init__(self, outputs: int, factor: int):
        super().__init__()
        self.outputs, self.factor = outputs, factor

    def forward(self, x: Tensor) -> Tensor:
        x = F.pixel_unshuffle(x, self.factor) if self.factor > 1 else x
        return x.unflatten(1, (self.outputs, -1)).mean(2)


class Duplicating(nn.Module):
    """Channels repeated up to outputs * factor², then channel to space."""

    def __init__(self, inputs: int, outputs: int, factor: int):
        super().__init__()
        self.repeats, self.factor = outputs * factor * factor // inputs, factor

    def forward(self, x: Tensor) -> Tensor:
        x = x.repeat_interleave(self.repeats, 1)
        return F.pixel_shuffle(x, self.factor) if self.factor > 1 else x


class Encoder(nn.Module):
    def __init__(
        self,
        width: list[int],
        depth: list[int],
        block_type: list[str],
        norm: list[str],
        act: list[str],
        latent_channels: int = 4,
    ):
        super().__init__()
        self.project_in = Unshuffle(3, width[1]) if depth[0] == 0 else ConvLayer(3, width[0])
        stages = []
        for i, (channels, count) in enumerate(zip(width, depth)):
            ops = [block(block_type[i], channels, norm[i], act[i]) for _ in range(count)]
            if count and i + 1 < len(width):
                ops.append(Residual(Unshuffle(channels, width[i + 1]), Averaging(width[i + 1], 2)))
            stages.append(OpList(*ops))
        self.stages = nn.ModuleList(stages)
        self.project_out = Residual(OpList(ConvLayer(width[-1], latent_channels)), Averaging(latent_channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.project_in(x)
        for stage in self.stages:
            x = stage(x)
        return self.project_out(x)


class Decoder(nn.Module):
    def __init__(
        self,
        width: list[int],
        depth: list[int],
        block_type: list[str],
        norm: list[str],
        act: list[str],
        latent_channels: int = 4,
    ):
        super().__init__()
        self.project_in = Residual(ConvLayer(latent_channels, width[-1]), Duplicating(latent_channels, width[-1], 1))
        stages = []
        for i, (channels, count) in enumerate(zip(width, depth)):
            ops = []
            if count and i + 1 < len(width):
                ops.append(Residual(Shuffle(width[i + 1], channels), Duplicating(width[i + 1], channels, 2)))
            ops += [block(block_type[i], channels, norm[i], act[i]) for _ in range(count)]
            stages.append(OpList(*ops))
        self.stages = nn.ModuleList(stages)
        last = width[1] if depth[0] == 0 else width[0]
        self.project_out = OpList(RMSNorm2d(last), nn.ReLU(), Shuffle(last, 3) if depth[0] == 0 else ConvLayer(last, 3))

    def forward(self, z: Tensor) -> Tensor:
        x = self.project_in(z)
        for stage in reversed(self.stages):
            x = stage(x)
        return self.project_out(x)


class Autoencoder(nn.Module):
    def __init__(self, config: dict):
        super().__init__()
        self.encoder = Encoder(**config["encoder"])
        self.decoder = Decoder(**config["decoder"])

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))

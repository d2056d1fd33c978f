"""SoundStream's networks (arXiv 2107.03312): layouts, encoder, decoder. Weights are named as the library loads them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Layout:
    """Told from the decoder's side; lists go from the frame rate to the sample rate."""

    features: int
    channels: list[int]
    strides: list[int]
    kernels: list[int]
    groups: list[int]
    unit_groups: list[int]
    dilations: list[list[int]]
    unit_kernel: int
    separable: bool
    activation: str  # "leaky", of slope 0.3, or "elu"

    @property
    def hop(self) -> int:
        return math.prod(self.strides)

    def activate(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, 0.3) if self.activation == "leaky" else F.elu(x)

    def metadata(self, part: str) -> dict[str, str]:
        return {f"{part}.{key}": _text(value) for key, value in asdict(self).items()}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, list):
        return (";" if value and isinstance(value[0], list) else ",").join(_text(item) for item in value)
    return str(value)


# Lyra V2's shape, and a light decoder of the same features (codec of 16 kHz, 50 frames a second).
HEAVY = Layout(
    features=64,
    channels=[512, 256, 128, 64],
    strides=[2, 2, 5, 16],
    kernels=[3, 4, 4, 10, 64],
    groups=[4, 4, 2, 1],
    unit_groups=[4, 2, 1],
    dilations=[[1, 3, 9]] * 3,
    unit_kernel=3,
    separable=True,
    activation="leaky",
)
LIGHT = Layout(
    features=64,
    channels=[64, 32, 24],
    strides=[4, 5, 16],
    kernels=[3, 8, 10, 64],
    groups=[4, 2, 1],
    unit_groups=[1, 1],
    dilations=[[1, 3]] * 2,
    unit_kernel=3,
    separable=True,
    activation="leaky",
)


class CausalConv(nn.Conv1d):
    def forward(self, x: Tensor) -> Tensor:
        reach = (self.kernel_size[0] - 1) * self.dilation[0] + 1 - self.stride[0]
        return super().forward(F.pad(x, (reach, 0)))


class CausalTransposed(nn.ConvTranspose1d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[..., : x.shape[-1] * self.stride[0]]


class Unit(nn.Module):
    def __init__(self, layout: Layout, channels: int, dilation: int, groups: int):
        super().__init__()
        self.layout = layout
        kernel = layout.unit_kernel
        if layout.separable:
            self.depthwise = CausalConv(channels, channels, kernel, dilation=dilation, groups=channels)
            self.pointwise = CausalConv(channels, channels, 1)
        else:
            self.conv = CausalConv(channels, channels, kernel, dilation=dilation)
        self.mix = CausalConv(channels, channels, 1, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        h = self.layout.activate(x)
        h = self.pointwise(self.depthwise(h)) if self.layout.separable else self.conv(h)
        return x + self.mix(self.layout.activate(h))


class Stage(nn.Module):
    """What stands at the finer of two time steps, and the way there."""

    def __init__(self, layout: Layout, index: int, transposed: bool):
        super().__init__()
        coarse, fine = layout.channels[index], layout.channels[index + 1]
        unit_groups = layout.unit_groups[index]
        self.units = nn.Sequential(*(Unit(layout, fine, d, unit_groups) for d in layout.dilations[index]))
        kernel, stride, groups = layout.kernels[index + 1], layout.strides[index], layout.groups[index + 1]
        if transposed:
            self.resample = CausalTransposed(coarse, fine, kernel, stride, groups=groups)
        else:
            self.resample = CausalConv(fine, coarse, kernel, stride, groups=groups)


class Decoder(nn.Module):
    """Features [B, features, T] to samples [B, T * hop]."""

    def __init__(self, layout: Layout):
        super().__init__()
        self.layout = layout
        channels, kernels = layout.channels, layout.kernels
        self.first = CausalConv(layout.features, channels[0], kernels[0], groups=layout.groups[0])
        self.stages = nn.ModuleList(Stage(layout, i, transposed=True) for i in range(len(channels) - 1))
        self.last = CausalTransposed(channels[-1], 1, kernels[-1], layout.strides[-1])

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for stage in self.stages:
            x = stage.units(stage.resample(self.layout.activate(x)))
        return self.last(self.layout.activate(x))[:, 0]


class Encoder(nn.Module):
    """Samples [B, T * hop] to features [B, features, T]."""

    def __init__(self, layout: Layout):
        super().__init__()
        self.layout = layout
        channels, kernels = layout.channels, layout.kernels
        self.first = CausalConv(1, channels[-1], kernels[-1], layout.strides[-1])
        stages = reversed(range(len(channels) - 1))
        self.stages = nn.ModuleList(Stage(layout, i, transposed=False) for i in stages)
        self.last = CausalConv(channels[0], layout.features, kernels[0], groups=layout.groups[0])

    def forward(self, samples: Tensor) -> Tensor:
        x = self.first(samples[:, None])
        for stage in self.stages:
            x = stage.resample(self.layout.activate(stage.units(x)))
        return self.last(self.layout.activate(x))


@torch.no_grad()
def settle(network: Encoder | Decoder, x: Tensor, loudness: float) -> Tensor:
    """Scales every layer's random weights so that what it makes of `x` has a deviation of one, and the network's output `loudness`.

    Nothing normalises in these networks: as PyTorch makes them, sounds fade from layer to layer until only biases are left, and
    the phase of a wave is not learned for thousands of steps. Returns what the network then makes.
    """

    def to_deviation(wanted: float):
        def scale(layer: nn.Module, _: tuple, made: Tensor) -> Tensor:
            factor = wanted / made.std()
            layer.weight *= factor
            return made * factor

        return scale

    hooks = []
    for name, layer in network.named_modules():
        if isinstance(layer, (CausalConv, CausalTransposed)):
            layer.bias.zero_()
            wanted = loudness if name == "last" else 0.3 if name.endswith("mix") else 1.0
            hooks.append(layer.register_forward_hook(to_deviation(wanted)))
    made = network(x)
    for hook in hooks:
        hook.remove()
    return made

"""The routed decoder: a trunk at latent resolution, and for every tile a light or a heavy branch that goes on from there.

The trunk sees the whole picture; the branches see their tile and one latent around it, and nothing else: their convolutions are
not padded, so a tile decoded alone equals the same tile in the whole picture. Wide layers between them are 1x1.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HALO = 1  # latents that a branch looks beyond its tile


def conv(inputs: int, outputs: int, kernel: int, padding: int = 0) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=padding)


class Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.conv1, self.conv2 = conv(width, width, 3, 1), conv(width, width, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


class Trunk(nn.Module):
    """Raw latents [N, C, h, w] to features [N, width, h, w]."""

    def __init__(self, latent_channels: int, width: int, blocks: int):
        super().__init__()
        self.first = conv(latent_channels, width, 3, 1)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(blocks)))

    def forward(self, z: Tensor) -> Tensor:
        return self.blocks(F.relu(self.first(z)))


class Light(nn.Module):
    """Features with a halo [N, width, h + 2, w + 2] to pixels [N, 3, 8 h, 8 w]."""

    def __init__(self, width: int, factor: int):
        super().__init__()
        self.conv, self.out = conv(width, width, 3), conv(width, 3 * factor * factor, 1)
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.out(F.relu(self.conv(x))), self.factor)


class Stage(nn.Module):
    """One 3x3 convolution without padding, two 1x1 around a wider layer, all beside a shortcut: a pixel less on every side."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = conv(width, width, 3)
        self.widen, self.narrow = conv(width, 2 * width, 1), conv(2 * width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x[..., 1:-1, 1:-1] + self.narrow(F.relu(self.widen(F.relu(self.conv(x))))))


class Heavy(nn.Module):
    """Features with a halo [N, width, h + 2, w + 2] to pixels [N, 3, 8 h, 8 w].

    Halo in pixels of each stage: 2 of 2x, 2 of 4x, 2 of 8x; one goes to the stage's convolution, and the last to `out`.
    """

    def __init__(self, width: int, widths: list[int]):
        super().__init__()
        self.enter, inputs = conv(width, 2 * width, 1), [2 * width, *widths[:-1]]
        self.ups = nn.ModuleList(conv(i, 4 * o, 1) for i, o in zip(inputs, widths))
        self.stages = nn.ModuleList(Stage(w) for w in widths)
        self.out = conv(widths[-1], 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.enter(x))
        for up, stage in zip(self.ups, self.stages):
            x = stage(F.relu(F.pixel_shuffle(up(x), 2)))
        return self.out(x)


class Gate(nn.Module):
    """Features [N, width, h, w] to what the heavy branch is expected to gain on every tile [N, h / tile, w / tile]."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.conv, self.out = conv(width, hidden, 1), conv(hidden, 1, 1)

    def forward(self, features: Tensor, tile: int) -> Tensor:
        return self.out(F.avg_pool2d(F.relu(self.conv(features)), tile))[:, 0]


class RoutedDecoder(nn.Module):
    def __init__(
        self, width: int, blocks: int, heavy_widths: list[int], gate_width: int, tile: int, latent_channels: int = 4
    ):
        super().__init__()
        self.tile = tile
        self.trunk = Trunk(latent_channels, width, blocks)
        self.factor = 2 ** len(heavy_widths)
        self.light, self.heavy = Light(width, self.factor), Heavy(width, heavy_widths)
        self.gate = Gate(width, gate_width)

    def both(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features, and the whole pictures of either branch in -1..1."""
        features = self.trunk(z)
        around = F.pad(features, (HALO,) * 4)
        return features, self.light(around), self.heavy(around)

    def forward(self, z: Tensor, heavy_share: float = 1.0) -> Tensor:
        """The picture with this share of each picture's tiles from the heavy branch, those that the gate scores highest."""
        features, light, heavy = self.both(z)
        return mixed(light, heavy, route(self.gate(features, self.tile), heavy_share), self.tile * self.factor)


def from_weights(weights: dict[str, Tensor], tile: int) -> RoutedDecoder:
    """The decoder of a file's tensors: widths and depths are their shapes, the tile's edge in latents no file tells."""
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    stages = sum(name.startswith("heavy.ups.") and name.endswith(".weight") for name in shapes)
    blocks = sum(name.startswith("trunk.blocks.") and name.endswith(".conv1.weight") for name in shapes)
    try:
        model = RoutedDecoder(
            width=shapes["trunk.first.weight"][0],
            blocks=blocks,
            heavy_widths=[shapes[f"heavy.stages.{i}.conv.weight"][0] for i in range(stages)],
            gate_width=shapes["gate.conv.weight"][0],
            tile=tile,
            latent_channels=shapes["trunk.first.weight"][1],
        )
        model.load_state_dict({name: value.float() for name, value in weights.items()})
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"not the weights of a routed decoder: {error}") from None
    return model.eval().requires_grad_(False)


def route(scores: Tensor, heavy_share: float) -> Tensor:
    """True on the round(share * tiles) tiles of the largest scores: [N, y, x] to the same."""
    flat = scores.flatten(1)
    count = round(heavy_share * flat.shape[1])
    chosen = torch.zeros_like(flat, dtype=torch.bool)
    return chosen.scatter(1, flat.sort(dim=1, descending=True, stable=True).indices[:, :count], True).view_as(scores)


BLEND = 8  # pixels of a heavy tile over which it comes in beside a light one


def heavy_weights(heavy: Tensor, tile: int) -> Tensor:
    """Of a route [N, y, x], weight of the heavy branch at every pixel [N, 1, y * tile, x * tile]: its distance from the nearest
    light pixel (the larger of both axes), over BLEND, at most 1."""
    light = (~heavy)[:, None].float().repeat_interleave(tile, 2).repeat_interleave(tile, 3)
    near = [F.max_pool2d(light, 2 * k + 1, 1, k) for k in range(BLEND)]
    return 1 - sum(near) / BLEND


def mixed(light: Tensor, heavy: Tensor, chosen: Tensor, tile: int) -> Tensor:
    return light + (heavy - light) * heavy_weights(chosen, tile)

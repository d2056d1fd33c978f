"""The networks of models/motion: a denoiser of clips and the encoder of the picture that starts to move.

The denoiser answers as Stable Video Diffusion's does (arXiv 2311.15127): noisy latents and the picture's behind them
in, v out, noise levels as EDM counts them (arXiv 2206.00364). Inside, the network predicts where each part of the
picture has moved to, and how the frame *differs* from the picture moved so: with its last layers at zero the clip is the
picture standing still, and training starts from there.
"""

from __future__ import annotations

import math
from typing import List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.unet import Residual, _folded, _unfolded, normed, zeroed

REACH = 4.0  # latents: the unit of moves, which keeps them and what differs of one size in the network
FARTHEST = 16  # frames; attention tells no more apart what lies farther off
SCALARS, OCTAVES = 5, 8  # what a frame is told, and the waves that it is told in


class SpaceAttention(nn.Module):
    """Every position of a frame reads all positions of that frame."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries = nn.Linear(width, 3 * width)
        self.out = zeroed(nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        frames, width, height, across = x.shape
        positions = F.layer_norm(x.permute(0, 2, 3, 1).reshape(frames, height * across, width), [width])
        heads = self.queries(positions).reshape(frames, height * across, 3, self.heads, width // self.heads)
        q, k, v = heads.permute(2, 0, 3, 1, 4).unbind(0)
        read = attend(q, k, v, None).transpose(1, 2).reshape(frames, height * across, width)
        return x + self.out(read).reshape(frames, height, across, width).permute(0, 3, 1, 2)


class TimeAttention(nn.Module):
    """Every position reads itself in all frames of its clip."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.farthest = heads, FARTHEST
        self.queries = nn.Linear(width, 3 * width)
        self.out = zeroed(nn.Linear(width, width))
        self.distance = nn.Parameter(torch.zeros(heads, 2 * FARTHEST + 1))

    def forward(self, x: Tensor, count: int) -> Tensor:
        """`count`: frames of a clip."""
        frames, width, height, across = x.shape
        clips = x.reshape(frames // count, count, width, height * across).permute(0, 3, 1, 2)
        tokens = F.layer_norm(clips.reshape(-1, count, width), [width])
        heads = self.queries(tokens).reshape(-1, count, 3, self.heads, width // self.heads)
        q, k, v = heads.permute(2, 0, 3, 1, 4).unbind(0)
        order = torch.arange(count, device=x.device)
        apart = (order[None, :] - order[:, None]).clamp(-self.farthest, self.farthest) + self.farthest
        read = attend(q, k, v, self.distance[:, apart].to(q.dtype)).transpose(1, 2).reshape(-1, count, width)
        moved = self.out(read).reshape(frames // count, height * across, count, width).permute(0, 2, 3, 1)
        return x + moved.reshape(frames, width, height, across)


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Optional[Tensor]) -> Tensor:
    """By hand: the sequences are short, and the fused kernel's backward pass is slow in bfloat16."""
    scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
    if bias is not None:
        scores = scores + bias
    return scores.softmax(-1) @ v


class TimeConvolution(nn.Module):
    """Every position sees itself one frame before and one frame after; nothing beyond the ends of the clip."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = zeroed(nn.Conv2d(3 * width, width, 1))

    def forward(self, x: Tensor, count: int) -> Tensor:
        frames, width, height, across = x.shape
        y = F.silu(normed(x)).reshape(frames // count, count, width, height, across)
        nothing = torch.zeros_like(y[:, :1])
        before, after = torch.cat([nothing, y[:, :-1]], 1), torch.cat([y[:, 1:], nothing], 1)
        seen = torch.cat([before, y, after], 2).reshape(frames, 3 * width, height, across)
        return x + self.mix(seen.contiguous(memory_format=torch.channels_last))


class Block(nn.Module):
    """Each frame alone, then each position along the clip."""

    def __init__(self, width: int, embedding: int, heads: int) -> None:
        super().__init__()
        self.residual = Residual(width, embedding)
        self.attends = heads > 0
        self.space = SpaceAttention(width, heads) if heads else nn.Identity()
        self.along = TimeAttention(width, heads) if heads else TimeConvolution(width)

    def forward(self, x: Tensor, embedding: Tensor, count: int) -> Tensor:
        x = self.residual(x, embedding)
        x = self.space(x)
        return self.along(x, count)


class Stage(nn.Module):
    def __init__(self, width: int, depth: int, embedding: int, heads: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, embedding, heads) for _ in range(depth))

    def forward(self, x: Tensor, embedding: Tensor, count: int) -> Tensor:
        for block in self.blocks:
            x = block(x, embedding, count)
        return x


class ClipUNet(nn.Module):
    """v-prediction of clips; sizes are multiples of 2 ** (levels - 1) latents, any number of frames.

    `spread`: standard deviation of a frame's latents around those of the picture. `scale`: of the latent space.
    """

    def __init__(self, channels: int, widths: List[int], down: List[int], up: List[int], heads: List[int],
                 embedding: int, context: int, spread: float, scale: float) -> None:  # fmt: skip
        super().__init__()
        self.channels, self.spread, self.scale = channels, spread, scale
        self.factor, self.reach = 2 ** (len(widths) - 1), REACH
        self.time_width, self.octaves = 128, OCTAVES
        self.time = nn.Sequential(nn.Linear(self.time_width, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.told = nn.Linear(SCALARS * (2 * OCTAVES + 1), embedding)
        self.summary = nn.Linear(context, embedding)
        self.mix = nn.Sequential(nn.SiLU(), nn.Linear(embedding, embedding), nn.SiLU())
        self.conv_in = nn.Conv2d(2 * channels + 2, widths[0], 3, padding=1)
        self.down = nn.ModuleList(Stage(w, d, embedding, h) for w, d, h in zip(widths[:-1], down, heads))
        self.shrink = nn.ModuleList(nn.Conv2d(4 * a, b, 1) for a, b in zip(widths, widths[1:]))
        # From the lowest resolution up, in the order of use.
        self.middle = Stage(widths[-1], up[-1], embedding, heads[-1])
        rising = list(zip(widths, widths[1:], up, heads))[::-1]
        self.grow = nn.ModuleList(nn.Conv2d(lower, 4 * width, 1) for width, lower, _, _ in rising)
        self.join = nn.ModuleList(nn.Conv2d(2 * width, width, 1) for width, _, _, _ in rising)
        self.up = nn.ModuleList(Stage(width, depth, embedding, head) for width, _, depth, head in rising)
        self.conv_out = zeroed(nn.Conv2d(widths[0], channels, 3, padding=1))
        self.moves = zeroed(nn.Conv2d(widths[0], 2, 3, padding=1))

    def forward(self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor, added_time_ids: Tensor) -> Tensor:
        """sample [B, T, 2C, h, w]: latents over sqrt(sigma^2 + 1), behind them the picture's raw ones; timestep [] or
        [B]: a quarter of log sigma; encoder_hidden_states [B, 1, D]; added_time_ids [B, 3]: frames a second - 1,
        motion bucket, noise on the picture -> v [B, T, C, h, w]. A picture of zeros is no picture."""
        return self.with_moves(sample, timestep, encoder_hidden_states, added_time_ids)[0]

    def with_moves(
        self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor, added_time_ids: Tensor
    ) -> Tuple[Tensor, Tensor]:
        """As forward(); behind v the scaled latents of the moved picture, float32."""
        batch, count, _, height, width = sample.shape
        if height % self.factor != 0 or width % self.factor != 0:
            raise ValueError(f"sample: expected sides in multiples of {self.factor}, found {height}, {width}")
        log_sigma = (4.0 * timestep.to(torch.float32)).expand(batch)
        noisy = sample[:, :, : self.channels].to(torch.float32)
        still = sample[:, :, self.channels :].to(torch.float32) * self.scale
        sigma = log_sigma.exp()[:, None, None, None, None]
        size = (sigma * sigma + 1).sqrt()
        shown = still.abs().amax((1, 2, 3, 4), keepdim=True) > 0
        spread = torch.where(shown, torch.full_like(sigma, self.spread), torch.ones_like(sigma))
        around = (spread * spread + sigma * sigma).sqrt()
        apart = (noisy * size - still) / around
        embedding = self.time(self._waves(100.0 * (log_sigma + 6.0)).to(sample.dtype))
        embedding = embedding + self.summary(encoder_hidden_states.flatten(1))
        embedding = embedding[:, None] + self.told(self._about_frames(added_time_ids, count).to(sample.dtype))
        x = torch.cat([apart, still], 2).reshape(batch * count, 2 * self.channels, height, width).to(sample.dtype)
        features = self._network(x, self.mix(embedding).flatten(0, 1), count)
        made = self.conv_out(features).reshape(noisy.shape).to(torch.float32)
        moved = self._moved(still.flatten(0, 1), self.moves(features).to(torch.float32)).reshape(noisy.shape)
        # What v is when a frame is `moved + spread^2 / around^2 * (noisy - moved) + sigma * spread / around * made`.
        known = sigma / (around * around) * (noisy * (1 - spread * spread) - moved * size)
        return (known - spread * size / around * made).to(sample.dtype), moved

    def _moved(self, pictures: Tensor, moves: Tensor) -> Tensor:
        """pictures [N, C, h, w], each place taken from `moves` [N, 2, h, w] (across, down; in units of REACH) beside it."""
        height, width = moves.shape[2], moves.shape[3]
        across = (torch.arange(width, device=moves.device, dtype=torch.float32) + 0.5)[None, None, :] + self.reach * moves[:, 0]
        down = (torch.arange(height, device=moves.device, dtype=torch.float32) + 0.5)[None, :, None] + self.reach * moves[:, 1]
        places = torch.stack([across * (2.0 / width) - 1, down * (2.0 / height) - 1], dim=3)
        return F.grid_sample(pictures, places, mode="bilinear", padding_mode="border", align_corners=False)

    def _network(self, x: Tensor, embedding: Tensor, count: int) -> Tensor:
        x = torch.cat([x, self._coordinates(x)], dim=1).contiguous(memory_format=torch.channels_last)
        x = self.conv_in(x)
        kept: List[Tensor] = []
        for stage, shrink in zip(self.down, self.shrink):
            x = stage(x, embedding, count)
            kept.append(x)
            x = shrink(_folded(x))
        x = self.middle(x, embedding, count)
        for grow, join, stage in zip(self.grow, self.join, self.up):
            x = join(torch.cat([_unfolded(grow(x)), kept.pop()], dim=1))
            x = stage(x, embedding, count)
        return F.silu(normed(x))

    def _about_frames(self, ids: Tensor, count: int) -> Tensor:
        """[B, T, SCALARS * (2 * OCTAVES + 1)]: the frame's number, its seconds, how far it has come at this strength
        (a bucket of 127 is strength 1), the strength, the noise on the picture; each with its waves."""
        index = torch.arange(count, device=ids.device, dtype=torch.float32)[None, :]
        ids = ids.to(torch.float32)
        strength, noise = ids[:, 1:2] / 127.0, ids[:, 2:3]
        seconds = index / (ids[:, 0:1] + 1.0)
        values = torch.stack([index * 0.2 + 0 * noise, seconds, seconds * strength, strength + 0 * index, noise + 0 * index], -1)
        waves = values[..., None] * 2.0 ** torch.arange(self.octaves, device=ids.device, dtype=torch.float32) * 0.5
        return torch.cat([values, waves.sin().flatten(-2), waves.cos().flatten(-2)], -1)

    def _waves(self, position: Tensor) -> Tensor:
        half = self.time_width // 2
        steps = torch.arange(half, device=position.device, dtype=torch.float32)
        angles = position[:, None] * torch.exp(-math.log(10000.0) / half * steps)
        return torch.cat([angles.cos(), angles.sin()], dim=1)

    def _coordinates(self, x: Tensor) -> Tensor:
        frames, _, height, width = x.shape
        rows = torch.linspace(-1, 1, height, device=x.device, dtype=x.dtype)
        columns = torch.linspace(-1, 1, width, device=x.device, dtype=x.dtype)
        grid = torch.stack([rows[:, None].expand(height, width), columns[None, :].expand(height, width)])
        return grid.expand(frames, 2, height, width)


class PictureEncoder(nn.Module):
    """What a picture shows, as one token: pictures [B, 3, S, S] in 0..1 -> [B, 1, outputs]."""

    def __init__(self, widths: List[int], outputs: int, side: int) -> None:
        super().__init__()
        self.side = side
        pairs = zip([3] + widths[:-1], widths)
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, 3, stride=2, padding=1) for i, o in pairs)
        self.project = nn.Linear(widths[-1], outputs)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.read(F.adaptive_avg_pool2d(pictures, self.side))

    def read(self, small: Tensor) -> Tensor:
        """Of pictures that are `side` pixels wide already."""
        x = small * 2 - 1
        for convolution in self.convolutions:
            x = F.silu(convolution(x))
        summary = F.layer_norm(x.mean((2, 3)), [x.shape[1]])
        return self.project(summary)[:, None]


class Motion(nn.Module):
    """Both, as they are trained."""

    def __init__(self, unet: dict, picture: dict) -> None:
        super().__init__()
        self.unet = ClipUNet(**unet)
        self.picture = PictureEncoder(outputs=unet["context"], **picture)


def start_from_scenes(unet: ClipUNet, scenes: dict[str, Tensor]) -> None:
    """What both denoisers have in common: convolutions, attention within a frame, changes of resolution. The picture's
    latents enter where the scenes' noisy ones do."""
    own = unet.state_dict()
    with torch.no_grad():
        c = unet.channels
        own["conv_in.weight"][:, c:].copy_(scenes["conv_in.weight"])
        own["conv_in.bias"].copy_(scenes["conv_in.bias"])
        for name, value in own.items():
            part, _, rest = name.partition(".")
            if part in ("shrink", "grow", "join"):
                value.copy_(scenes[name])
            theirs = name.replace(".blocks.", ".residuals." if ".residual." in name else ".attentions.")
            theirs = theirs.replace(".residual.", ".").replace(".space.", ".")
            if ".blocks." not in name or ".along." in name or theirs not in scenes:
                continue
            if name.endswith("film.weight"):  # reads another embedding
                value.zero_()
            else:
                value.copy_(scenes[theirs][tuple(slice(0, n) for n in value.shape)])

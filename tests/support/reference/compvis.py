"""The convolutional autoencoder of taming-transformers and latent-diffusion, whose packages are not on PyPI: the network of their
`modules/diffusionmodules/model.py`, with their tensor names, written small.

Stages are counted from the full size in both halves, so the decoder runs its `up` list from the last entry to the first. Attention
stands behind every block of a stage whose resolution is named.
"""

import torch
from torch import nn
from torch.nn import functional


def norm(channels: int, groups: int) -> nn.GroupNorm:
    return nn.GroupNorm(groups, channels, eps=1e-6)


class Residual(nn.Module):
    def __init__(self, before: int, after: int, groups: int):
        super().__init__()
        self.norm1, self.conv1 = norm(before, groups), nn.Conv2d(before, after, 3, padding=1)
        self.norm2, self.conv2 = norm(after, groups), nn.Conv2d(after, after, 3, padding=1)
        if before != after:
            self.nin_shortcut = nn.Conv2d(before, after, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv1(functional.silu(self.norm1(x)))
        y = self.conv2(functional.silu(self.norm2(y)))
        return y + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class Attention(nn.Module):
    def __init__(self, channels: int, groups: int):
        super().__init__()
        self.norm = norm(channels, groups)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(x)
        q, k, v = (layer(y).flatten(2) for layer in (self.q, self.k, self.v))
        weights = torch.softmax(torch.einsum("bci,bcj->bij", q, k) / x.shape[1] ** 0.5, dim=2)
        return x + self.proj_out(torch.einsum("bcj,bij->bci", v, weights).reshape(x.shape))


class Stage(nn.Module):
    """Blocks of one resolution; the step to the next is called `downsample` or `upsample`."""

    def __init__(self, before: int, after: int, blocks: int, attends: bool, groups: int):
        super().__init__()
        self.block = nn.ModuleList(Residual(before if i == 0 else after, after, groups) for i in range(blocks))
        self.attn = nn.ModuleList(Attention(after, groups) for _ in range(blocks if attends else 0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i, block in enumerate(self.block):
            x = block(x)
            if self.attn:
                x = self.attn[i](x)
        return x


class Resample(nn.Module):
    def __init__(self, channels: int, down: bool):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2) if down else nn.Conv2d(channels, channels, 3, padding=1)
        self.down = down

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.down:
            return self.conv(functional.pad(x, (0, 1, 0, 1)))
        return self.conv(functional.interpolate(x, scale_factor=2.0, mode="nearest"))


class Middle(nn.Module):
    def __init__(self, channels: int, groups: int):
        super().__init__()
        self.block_1, self.block_2 = Residual(channels, channels, groups), Residual(channels, channels, groups)
        self.attn_1 = Attention(channels, groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.block_2(self.attn_1(self.block_1(x)))


class Encoder(nn.Module):
    def __init__(self, widths: list[int], blocks: int, attending: set[int], out: int, groups: int):
        super().__init__()
        self.conv_in = nn.Conv2d(3, widths[0], 3, padding=1)
        self.down = nn.ModuleList()
        for i, width in enumerate(widths):
            stage = Stage(widths[max(i - 1, 0)], width, blocks, i in attending, groups)
            if i + 1 < len(widths):
                stage.downsample = Resample(width, down=True)
            self.down.append(stage)
        self.mid = Middle(widths[-1], groups)
        self.norm_out, self.conv_out = norm(widths[-1], groups), nn.Conv2d(widths[-1], out, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv_in(x)
        for stage in self.down:
            x = stage(x)
            if hasattr(stage, "downsample"):
                x = stage.downsample(x)
        return self.conv_out(functional.silu(self.norm_out(self.mid(x))))


class Decoder(nn.Module):
    def __init__(self, widths: list[int], blocks: int, attending: set[int], channels: int, groups: int):
        super().__init__()
        self.conv_in = nn.Conv2d(channels, widths[-1], 3, padding=1)
        self.mid = Middle(widths[-1], groups)
        self.up = nn.ModuleList()
        for i, width in enumerate(widths):
            stage = Stage(widths[min(i + 1, len(widths) - 1)], width, blocks + 1, i in attending, groups)
            if i > 0:
                stage.upsample = Resample(width, down=False)
            self.up.append(stage)
        self.norm_out, self.conv_out = norm(widths[0], groups), nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        x = self.mid(self.conv_in(z))
        for stage in reversed(self.up):
            x = stage(x)
            if hasattr(stage, "upsample"):
                x = stage.upsample(x)
        return self.conv_out(functional.silu(self.norm_out(x)))


class Halves(nn.Module):
    """Encoder, decoder and the 1x1 convolutions at the latents. `inner` channels meet the 3x3 convolutions, `outer` the user."""

    def __init__(self, config: dict, moments: bool):
        super().__init__()
        widths = [config["ch"] * factor for factor in config["ch_mult"]]
        blocks, groups = config.get("num_res_blocks", 2), config.get("groups", 32)
        attending = set(config.get("attending_stages", []))
        inner = config["z_channels"]
        outer = config.get("embed_dim", inner)
        both = 2 if moments else 1
        self.channels, self.factor = outer, 2 ** (len(widths) - 1)
        self.encoder = Encoder(widths, blocks, attending, both * inner, groups)
        self.decoder = Decoder(widths, blocks, attending, inner, groups)
        if config.get("quant_convs", True):
            self.quant_conv, self.post_quant_conv = nn.Conv2d(both * inner, both * outer, 1), nn.Conv2d(outer, inner, 1)

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        h = self.encoder(pictures)
        return self.quant_conv(h) if hasattr(self, "quant_conv") else h

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.post_quant_conv(z) if hasattr(self, "post_quant_conv") else z)

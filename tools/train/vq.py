"""A small VQGAN in the scenes latent space: diffusers' VQModel by its state-dict names, with two resnets per block.

Its codebook is a k-means of the frozen latents, so no entry ever lies idle: the collapse that learned codebooks
suffer from cannot happen, and the decoder can be trained on snapped stored latents without waiting for the encoder.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from train.kl import KLDecoder, KLEncoder


class Codebook(nn.Module):
    def __init__(self, size: int, channels: int):
        super().__init__()
        self.embedding = nn.Embedding(size, channels)
        self.embedding.weight.requires_grad_(False)

    def indices(self, z: Tensor) -> Tensor:
        """The nearest entry of every latent, in single precision: [N, C, h, w] to [N, h, w]."""
        vectors = z.float().movedim(1, -1)
        return nearest(vectors.flatten(0, -2), self.embedding.weight.float())[0].view(vectors.shape[:-1])

    def look_up(self, indices: Tensor) -> Tensor:
        """[N, h, w] to [N, C, h, w]."""
        return self.embedding(indices).movedim(-1, 1)

    def forward(self, z: Tensor) -> Tensor:
        return self.look_up(self.indices(z))


def identity(channels: int) -> nn.Conv2d:
    """A 1x1 convolution that is nothing but a place in the file, until trained."""
    convolution = nn.Conv2d(channels, channels, 1)
    nn.init.dirac_(convolution.weight)
    nn.init.zeros_(convolution.bias)
    return convolution


class VQDecoder(nn.Module):
    """Raw latents, snapped first, to pictures in -1..1."""

    def __init__(self, widths: list[int], groups: int, codes: int, latent_channels: int = 4):
        super().__init__()
        self.quantize = Codebook(codes, latent_channels)
        self.post_quant_conv = identity(latent_channels)
        self.decoder = KLDecoder(widths, groups, latent_channels)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(self.post_quant_conv(self.quantize(z)))

    def forward(self, z: Tensor) -> Tensor:
        return self.decode(z)


class VQModel(VQDecoder):
    """Pictures in -1..1 to raw latents, to indices, and back."""

    def __init__(self, widths: list[int], groups: int, codes: int, latent_channels: int = 4):
        super().__init__(widths, groups, codes, latent_channels)
        self.encoder = KLEncoder(widths, groups, latent_channels)
        self.quant_conv = identity(latent_channels)

    def encode(self, pictures: Tensor) -> Tensor:
        return self.quant_conv(self.encoder(pictures))

    def forward(self, pictures: Tensor) -> Tensor:
        return self.decode(self.encode(pictures))


def nearest(vectors: Tensor, entries: Tensor, chunk: int = 8192) -> tuple[Tensor, Tensor]:
    """Index of, and squared distance to, the entry [K, C] nearest to each vector [N, C]; a chunk of vectors at a time.

    A vector's own length moves all its distances alike, so a product with the entries decides.
    """
    half_lengths = entries.square().sum(1) / 2
    indices = torch.cat([torch.addmm(half_lengths, part, entries.T, alpha=-1).argmin(1) for part in vectors.split(chunk)])
    return indices, (vectors - entries[indices]).square().sum(1)


@torch.no_grad()
def k_means(vectors: Tensor, size: int, iterations: int) -> Tensor:
    """`size` entries [size, C] for `vectors` [N, C]; one that no vector is nearest to moves to a vector far from its own."""
    if len(vectors) < size:
        raise ValueError(f"k_means: expected at least {size} vectors, found {len(vectors)}")
    entries = vectors[torch.randperm(len(vectors))[:size]].clone()
    for _ in range(iterations):
        indices, distances = nearest(vectors, entries)
        counts = torch.bincount(indices, minlength=size)
        sums = torch.zeros_like(entries).index_add_(0, indices, vectors)
        entries = sums / counts.clamp(min=1)[:, None]
        idle = (counts == 0).nonzero()[:, 0]
        entries[idle] = vectors[distances.topk(len(idle)).indices]
    return entries


def codebook_use(indices: Tensor, size: int) -> dict[str, float]:
    """Share of the entries that occur in `indices`, and their perplexity: how many equally frequent ones would carry as
    much."""
    counts = torch.bincount(indices.flatten(), minlength=size)
    shares = counts[counts > 0].double() / counts.sum()
    return {"used": float((counts > 0).double().mean()), "perplexity": float((-(shares * shares.log()).sum()).exp())}

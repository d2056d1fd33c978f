"""The residual vector quantizer (arXiv 2107.03312, section III-C): codebooks that follow what they are given."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from train.vq import k_means, nearest


class ResidualQuantizer(nn.Module):
    """Codebooks are moving averages of the vectors that fell to them; entries that nobody uses are placed anew.

    The first n stages of a code are a code themselves: training drops the later ones at random for half of the samples
    (Descript's quantizer dropout), so that one model serves every rate.
    """

    def __init__(self, stages: int, entries: int, features: int, decay: float = 0.99, least_use: float = 0.3):
        super().__init__()
        self.decay, self.least_use = decay, least_use
        self.register_buffer("codebooks", torch.zeros(stages, entries, features))
        self.register_buffer("use", torch.ones(stages, entries))  # vectors of a step, averaged
        self.register_buffer("sums", torch.zeros(stages, entries, features))

    @property
    def stages(self) -> int:
        return len(self.codebooks)

    @torch.no_grad()
    def fit(self, vectors: Tensor, iterations: int = 10) -> None:
        """k-means, stage by stage. @param vectors [n, features]."""
        residual = vectors
        for stage in range(self.stages):
            self.codebooks[stage] = k_means(residual, self.codebooks.shape[1], iterations)
            residual = residual - self.codebooks[stage][nearest(residual, self.codebooks[stage])[0]]
        self.follow_from_here()

    def follow_from_here(self) -> None:
        """The averages begin anew at the entries that there are."""
        self.sums.copy_(self.codebooks)
        self.use.fill_(1)

    @torch.no_grad()
    def indices(self, x: Tensor, stages: int | None = None) -> Tensor:
        """[B, features, T] to [B, T, stages]."""
        residual = x.transpose(1, 2).reshape(-1, x.shape[1])
        found = []
        for book in self.codebooks[:stages]:
            found.append(nearest(residual, book)[0])
            residual = residual - book[found[-1]]
        return torch.stack(found, 1).view(x.shape[0], x.shape[2], -1)

    def dequantized(self, indices: Tensor) -> Tensor:
        """[B, T, stages] to [B, features, T]."""
        return sum(book[column] for book, column in zip(self.codebooks, indices.unbind(2))).transpose(1, 2)

    def forward(self, x: Tensor, stages: Tensor) -> tuple[Tensor, Tensor]:
        """Features snapped to each sample's first `stages` [B] entries, gradients passed straight through, and how far off.

        Moves the codebooks.
        """
        indices = self.indices(x.detach())
        kept = torch.arange(self.stages)[None] < stages[:, None]
        columns = torch.stack([book[c] for book, c in zip(self.codebooks, indices.unbind(2))], 1)  # [B, stages, T, F]
        snapped = (columns * kept[:, :, None, None]).sum(1).transpose(1, 2)
        if self.training:
            self._follow(x.detach(), indices, columns)
        off = (x - snapped.detach()).square().mean()
        return x + (snapped - x).detach(), off

    @torch.no_grad()
    def _follow(self, x: Tensor, indices: Tensor, columns: Tensor) -> None:
        residual = x.transpose(1, 2).flatten(0, 1)
        for stage, chosen in enumerate(indices.flatten(0, 1).unbind(1)):
            entries = self.codebooks.shape[1]
            used = torch.bincount(chosen, minlength=entries).float()
            sums = torch.zeros_like(self.sums[stage]).index_add_(0, chosen, residual)
            self.use[stage].lerp_(used, 1 - self.decay)
            self.sums[stage].lerp_(sums, 1 - self.decay)
            idle = self.use[stage] < self.least_use
            if idle.any():
                fresh = residual[torch.randint(len(residual), (int(idle.sum()),))]
                self.use[stage][idle] = 1
                self.sums[stage][idle] = fresh
            self.codebooks[stage] = self.sums[stage] / self.use[stage][:, None]
            residual = residual - columns[:, stage].flatten(0, 1)

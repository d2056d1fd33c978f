"""The matrix from scaled latents to RGB that previews are made with, by least squares; names as decoders/projection reads them."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.autoencoder import to_network
from train.latents import ready, stored_latents
from train.world import scene

FACTOR = 8


class Projection(nn.Module):
    """Scaled latents [N, C, h, w] to pictures [N, 3, 8h, 8w] in -1..1, one flat square per latent."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.latent_rgb = nn.Conv2d(channels, 3, 1)  # gives RGB in 0..1, as the file's reader expects

    def forward(self, z: Tensor) -> Tensor:
        return F.interpolate(self.latent_rgb(z), scale_factor=FACTOR, mode="nearest") * 2 - 1


@torch.no_grad()
def fitted(pictures: int = 512) -> Projection:
    facts = ready()
    z = torch.from_numpy(stored_latents(facts)[:pictures].astype(np.float32)) * facts["scaling_factor"]
    drawn = to_network(np.stack([scene(facts["first_seed"] + i)[0] for i in range(pictures)])) / 2 + 0.5
    squares = F.avg_pool2d(drawn, FACTOR)
    rows = torch.cat([z, torch.ones_like(z[:, :1])], 1).movedim(1, -1).flatten(0, 2)
    solution = torch.linalg.lstsq(rows.double(), squares.movedim(1, -1).flatten(0, 2).double()).solution.float()
    model = Projection(z.shape[1])
    model.latent_rgb.weight.copy_(solution[:-1].T[:, :, None, None])
    model.latent_rgb.bias.copy_(solution[-1])
    return model.eval().requires_grad_(False)

"""The decoders that are compared: the sizes people use, random weights, the same numbers for every contender."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from bench.machine import ROOT

sys.path.insert(0, str(ROOT / "tests" / "support"))

from reference.case import randomise  # noqa: E402

DECODERS = {
    "kl": ("kl", {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "latent_channels": 4}),
    "tae-192": ("taming", {"width": 192}),
    "efficientvit": ("vit", {"bare": True, "latent_channels": 4, "encoder": {"width": [8], "depth": [1]},
                             "decoder": {"width": [128, 128, 128, 256, 256, 256], "depth": [0, 5, 10, 0, 0, 0],
                                         "norm": "batch_norm", "act": "relu"}}),
    "taesd": ("taming", {"width": 64}),
}
CLIP_DECODERS = {
    "svd": ("svd", {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "decoder_only": True}),
    "tae-192-temporal": ("taming", {"video": "tiny_temporal", "width": 192}),
    "taesdv": ("taming", {"video": "taesdv", "width": 64}),
}


class Network(nn.Module):
    """The original's decoder as one module, latents [N, C, h, w] or a clip's frames [T, C, h, w] to pictures [N, 3, H, W]."""

    def __init__(self, name: str, clip: bool) -> None:
        super().__init__()
        family, config = (CLIP_DECODERS if clip else DECODERS)[name]
        self.autoencoder = importlib.import_module(f"reference.{family}").build(dict(config))
        self.module = self.autoencoder.module.eval()
        randomise(self.module, torch.Generator().manual_seed(0))
        self.clip = clip

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        if self.clip and self.autoencoder.decode_frames:
            return self.autoencoder.decode_frames(latents.transpose(0, 1))
        return self.autoencoder.decode(latents)

    def channels_last(self) -> Network:
        for parameter in self.parameters():  # those of convolutions along time have five axes
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        return self


class Case:
    """One decoder at one size. `weights` and `latent_file` are what the program reads."""

    def __init__(self, name: str, size: tuple[int, int], frames: int, folder: Path) -> None:
        self.name, self.size, self.frames = name, size, frames
        network = self.network()
        self.picture_range = network.autoencoder.picture_range
        self.weights, self.latent_file = folder / f"{name}.safetensors", folder / f"{name}-latents.safetensors"
        save_file({key: value.contiguous() for key, value in network.autoencoder.state().items()}, self.weights)
        width, height = (pixels // network.autoencoder.factor for pixels in size)
        shape = (frames or 1, network.autoencoder.channels, height, width)
        self.latents = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        stored = self.latents.transpose(0, 1)[None] if frames else self.latents
        save_file({"latents": stored.contiguous()}, self.latent_file)

    def network(self) -> Network:
        return Network(self.name, bool(self.frames))

    def pictures(self, output: torch.Tensor) -> torch.Tensor:
        """What a network gave, as [N, H, W, 3] in [0, 1]."""
        low, high = self.picture_range
        return ((output.float() - low) / (high - low)).clamp(0, 1).permute(0, 2, 3, 1)

"""One parity case: an autoencoder with random weights, an input and what the reference makes of it, in one safetensors file.

Weights keep their names; inputs and outputs are called `reference.decoder.input`, `reference.encoder.output` and so on; the facts
that names and shapes cannot show are the file's metadata.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file


@dataclass
class Autoencoder:
    """A family's reference. `state` gives the tensors a weight file holds, read after the weights were randomised."""

    module: torch.nn.Module
    state: Callable[[], dict[str, torch.Tensor]]
    channels: int
    factor: int
    decode: Callable[[torch.Tensor], torch.Tensor] | None = None
    encode: Callable[[torch.Tensor], torch.Tensor] | None = None
    decode_frames: Callable[[torch.Tensor], torch.Tensor] | None = None  # a clip [C, T, h, w] to pictures
    frames: int = 0  # latent frames of such a clip
    config: dict[str, str] = field(default_factory=dict)
    picture_range: tuple[float, float] = (-1.0, 1.0)
    entries: int | None = None
    """Of a codebook: latents are then indices, [batch, height, width]."""
    pictures: torch.Tensor | None = None  # to encode in place of random numbers


def randomise(module: torch.nn.Module, generator: torch.Generator) -> None:
    """Weights that let every layer matter: variance is kept through convolutions, norms are far from the identity.

    Numbers are rounded to what fp16 holds, so that a file can store them in half the space.
    """
    with torch.no_grad():
        for name, value in [*module.named_parameters(), *module.named_buffers()]:
            if not value.is_floating_point():
                continue
            noise = torch.randn(value.shape, generator=generator)
            if name.endswith("running_var"):
                noise = 1 + 0.3 * torch.rand(value.shape, generator=generator)
            elif value.dim() > 1:
                noise /= value[0].numel() ** 0.5
            elif name.endswith("weight"):
                noise = 1 + 0.2 * noise
            else:
                noise = 0.1 * noise
            value.copy_(noise.half())


def write_case(autoencoder: Autoencoder, file: Path, seed: int, batch: int, height: int, width: int, dtype: torch.dtype) -> None:
    """Runs both halves on latents of the given size and pictures to match, and writes the case."""
    generator = torch.Generator().manual_seed(seed)
    randomise(autoencoder.module.eval(), generator)
    tensors = {name: value.to(dtype) if value.is_floating_point() else value for name, value in autoencoder.state().items()}
    with torch.no_grad():
        if autoencoder.decode:
            if autoencoder.entries:
                latents = torch.randint(autoencoder.entries, (batch, height, width), generator=generator)
            else:
                latents = torch.randn(batch, autoencoder.channels, height, width, generator=generator)
            tensors |= {"reference.decoder.input": latents, "reference.decoder.output": autoencoder.decode(latents)}
        if autoencoder.decode_frames:
            clip = torch.randn(autoencoder.channels, autoencoder.frames, height, width, generator=generator)
            tensors |= {"reference.frames.input": clip, "reference.frames.output": autoencoder.decode_frames(clip)}
        if autoencoder.encode:
            low, high = autoencoder.picture_range
            size = (batch, 3, height * autoencoder.factor, width * autoencoder.factor)
            pictures = autoencoder.pictures
            if pictures is None:
                pictures = low + (high - low) * torch.rand(size, generator=generator)
            tensors |= {"reference.encoder.input": pictures, "reference.encoder.output": autoencoder.encode(pictures)}
    save_file({name: value.contiguous() for name, value in tensors.items()}, file, metadata=autoencoder.config)

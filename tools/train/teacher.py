"""A user's own autoencoder as teacher: its weights read from disk, its networks built from names and shapes."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from train.tiny import TinyDecoder, TinyEncoder

HALVES = {"encoder": TinyEncoder, "decoder": TinyDecoder}


class Teacher(nn.Module):
    """`encoder`: pictures [N, 3, H, W] in -1..1 to latents [N, C, H/8, W/8] as the denoiser holds them, or None;
    `decoder`: the way back."""

    def __init__(self, encoder: nn.Module | None, decoder: nn.Module, latent_channels: int, digest: str):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.latent_channels, self.digest = latent_channels, digest


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors or zip-format PyTorch file, in single precision; nothing in it is executed."""
    try:
        weights = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(f"{path}: no weights: {error}") from None
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise ValueError(f"{path}: expected a file of named tensors")
    return {name: value.float() for name, value in weights.items()}


def tiny_halves(weights: dict[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The halves of an AutoencoderTiny in a file, under diffusers' names; empty if it holds something else.

    The original files are bare numbered layers, and their decoder, whose layer 0 is the clamp, counts from 1.
    """
    if all(name[:1].isdigit() for name in weights):
        half, shift = ("encoder", 0) if "0.weight" in weights else ("decoder", 1)
        numbered = (name.split(".", 1) for name in weights)
        names = [f"layers.{int(number) - shift}.{rest}" for number, rest in numbered]
        return {half: dict(zip(names, weights.values()))}
    halves = {}
    for half in HALVES:
        layers = {name.removeprefix(f"{half}."): v for name, v in weights.items() if name.startswith(f"{half}.layers.")}
        if layers:
            halves[half] = layers
    return halves


def build_half(half: str, layers: dict[str, Tensor], path: Path) -> nn.Module:
    last = max(int(name.split(".")[1]) for name in layers)
    first, final = layers.get("layers.0.weight"), layers.get(f"layers.{last}.weight")
    if first is None or final is None:
        raise ValueError(f"{path}: the {half} has no first or no last convolution")
    latent_channels = final.shape[0] if half == "encoder" else first.shape[1]
    network = HALVES[half](first.shape[0], latent_channels, any(".pool." in name for name in layers))
    try:
        network.load_state_dict(layers)
    except RuntimeError as error:
        raise ValueError(f"{path}: not the {half} of an AutoencoderTiny: {error}") from None
    network.latent_channels = latent_channels
    return network.eval().requires_grad_(False)


def load_teacher(paths: list[Path]) -> Teacher:
    """One file with both halves, or one for each; the encoder may be missing. ValueError says what is wrong with which."""
    networks: dict[str, nn.Module] = {}
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
        halves = tiny_halves(read_weights(path))
        if not halves:
            raise ValueError(f"{path}: holds neither half of an AutoencoderTiny (original or diffusers names)")
        for half, layers in halves.items():
            if half in networks:
                raise ValueError(f"{path}: a second {half}")
            networks[half] = build_half(half, layers, path)
    if "decoder" not in networks:
        raise ValueError(f"{', '.join(map(str, paths))}: no decoder to learn from")
    channels = {network.latent_channels for network in networks.values()}
    if len(channels) > 1:
        raise ValueError(f"encoder and decoder differ in latent channels: {sorted(channels)}")
    return Teacher(networks.get("encoder"), networks["decoder"], channels.pop(), digest.hexdigest())

"""A user's own autoencoder as teacher: its weights read from disk, its networks built from names and shapes."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from train.kl import KLDecoder, KLEncoder
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


class FromPictures(nn.Module):
    """AutoencoderKL's encoder with its scaling: the mean of the latents' distribution, without noise."""

    def __init__(self, widths: list[int], groups: int, channels: int, quant: bool, scale: float, shift: float):
        super().__init__()
        self.encoder = KLEncoder(widths, groups, 2 * channels)
        self.quant_conv = nn.Conv2d(2 * channels, 2 * channels, 1) if quant else nn.Identity()
        self.scale, self.shift = scale, shift

    def forward(self, pictures: Tensor) -> Tensor:
        return (self.quant_conv(self.encoder(pictures)).chunk(2, 1)[0] - self.shift) * self.scale


class ToPictures(nn.Module):
    """AutoencoderKL's decoder, from latents as the denoiser holds them."""

    def __init__(self, widths: list[int], groups: int, channels: int, quant: bool, scale: float, shift: float):
        super().__init__()
        self.decoder = KLDecoder(widths, groups, channels)
        self.post_quant_conv = nn.Conv2d(channels, channels, 1) if quant else nn.Identity()
        self.scale, self.shift = scale, shift

    def forward(self, z: Tensor) -> Tensor:
        return self.decoder(self.post_quant_conv(z / self.scale + self.shift))


def load_kl_folder(folder: Path) -> Teacher:
    """A diffusers folder: config.json and diffusion_pytorch_model.safetensors of an AutoencoderKL."""
    weights, description = folder / "diffusion_pytorch_model.safetensors", folder / "config.json"
    for path in (weights, description):
        if not path.is_file():
            raise ValueError(f"{folder}: expected a file {path.name}")
    config = json.loads(description.read_text())
    wanted = {"_class_name": "AutoencoderKL", "layers_per_block": 2, "act_fn": "silu"}
    for key, value in wanted.items():
        if config.get(key) != value:
            raise ValueError(f"{description}: {key}: expected {value}, found {config.get(key)}")
    for key in ("block_out_channels", "norm_num_groups", "latent_channels", "scaling_factor"):
        if key not in config:
            raise ValueError(f"{description}: {key}: expected a value, found none")
    widths = config["block_out_channels"]
    if len(widths) != 4:
        raise ValueError(f"{description}: block_out_channels: expected four widths (8x), found {widths}")
    state = read_weights(weights)
    shared = (widths, config["norm_num_groups"], config["latent_channels"])
    scaling = (config["scaling_factor"], config.get("shift_factor") or 0.0)
    encoder = FromPictures(*shared, "quant_conv.weight" in state, *scaling)
    decoder = ToPictures(*shared, "post_quant_conv.weight" in state, *scaling)
    for network, names in ((encoder, ("encoder.", "quant_conv.")), (decoder, ("decoder.", "post_quant_conv."))):
        try:
            network.load_state_dict({name: value for name, value in state.items() if name.startswith(names)})
        except RuntimeError as error:
            raise ValueError(f"{weights}: not as {description.name} says: {error}") from None
        network.eval().requires_grad_(False)
    digest = hashlib.sha256(weights.read_bytes() + description.read_bytes()).hexdigest()
    return Teacher(encoder, decoder, config["latent_channels"], digest)


def load_teacher(paths: list[Path]) -> Teacher:
    """A diffusers folder of an AutoencoderKL, a file with both halves of an AutoencoderTiny, or a file for each half, where
    the encoder may be missing. ValueError says what is wrong with which."""
    if len(paths) == 1 and paths[0].is_dir():
        return load_kl_folder(paths[0])
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

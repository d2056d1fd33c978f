"""The shipped decoders as PyTorch builds them from their files: what the program's pictures are checked against."""

from __future__ import annotations

import json
from collections.abc import Callable

import torch
from safetensors.torch import load_file

from bench.machine import ROOT
from train import motion_decoder
from train.dcae import Autoencoder
from train.motion_package import DECODERS as OF_MOTION
from train.motion_table import of_scenes
from train.runs import CONFIGS, read_config
from train.shipped import SCENES, shipped_autoencoder, shipped_decoder
from train.vq import VQDecoder

MOTION = ROOT / "models" / "motion"
DECODERS = ("vae", "vit", "tae", "vq")
Network = Callable[[torch.Tensor], torch.Tensor]


def vit() -> Network:
    stored = shipped_autoencoder()
    model = Autoencoder(json.loads(stored["config"])["model"])
    model.load_state_dict(stored["model"])
    return model.eval().requires_grad_(False).decoder


def vq() -> Network:
    weights = load_file(SCENES / "vq.safetensors")
    model = VQDecoder(**read_config(CONFIGS / "scenes_vq.json")["model"])
    model.load_state_dict({name: weights[name].float() for name in model.state_dict()})
    return model.eval().requires_grad_(False)


@torch.no_grad()
def pictures_by_pytorch(name: str, raw: torch.Tensor) -> torch.Tensor:
    """@param raw latents [N, 4, h, w]. @return [N, H, W, 3] in [0, 1]."""
    network, family = {"vit": lambda: (vit(), "vit"), "vq": lambda: (vq(), "vqgan")}.get(name, lambda: of_scenes(name))()
    if family == "taming":  # these take latents as the denoiser holds them
        raw = raw * shipped_autoencoder()["scaling_factor"]
    return shown(network(raw))


@torch.no_grad()
def frames_by_pytorch(name: str, raw: torch.Tensor) -> torch.Tensor:
    """By a decoder of models/motion. @param raw latents of one clip, [T, 4, h, w]. @return [T, H, W, 3] in [0, 1]."""
    config = read_config(CONFIGS / f"motion_{OF_MOTION[name]}.json")
    network = motion_decoder.build(config)
    network.load_state_dict(shipped_decoder(MOTION / f"{name}.safetensors"))
    return shown(motion_decoder.FromRaw(network.eval(), config["family"], shipped_autoencoder()["scaling_factor"])(raw))


def shown(made: torch.Tensor) -> torch.Tensor:
    return ((made + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1)

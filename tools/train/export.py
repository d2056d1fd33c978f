"""Writes the autoencoder's parts of models/scenes in half precision (`python -m train scenes-export -o FOLDER`).

`scenes-export/decoders.json` in the runs folder tells the packager what was written.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from train.decoder import build
from train.latents import frozen_autoencoder, ready
from train.projection import fitted
from train.runs import runs_folder, write_atomically
from train.vq import VQDecoder, VQModel


ORDER = ("vae", "vit", "tae", "vq", "proj")


def trained_decoder(run: str) -> tuple[nn.Module, dict] | None:
    """Averaged weights and config of a decoder training, None before its first checkpoint."""
    path = runs_folder() / run / "checkpoint.pt"
    if not path.exists():
        return None
    state = torch.load(path, weights_only=True)
    config = json.loads(state["config"])
    decoder = build(config)
    decoder.load_state_dict(state["average"])
    return decoder.eval().requires_grad_(False), config


def trained_vq(network: type[VQDecoder]) -> VQDecoder | None:
    """The whole VQModel or its decoder from the averaged weights of `scenes-vq`, None before its first checkpoint."""
    path = runs_folder() / "scenes-vq" / "checkpoint.pt"
    if not path.exists():
        return None
    state = torch.load(path, weights_only=True)
    made = network(**json.loads(state["config"])["model"])
    made.load_state_dict({name: state["average"][name] for name in made.state_dict()})
    return made.eval().requires_grad_(False)


def light_decoder() -> tuple[nn.Module, str]:
    """The decoder trained with the encoder, or its continuation on the frozen latents, and the run it comes from."""
    continued = trained_decoder("scenes-vit")
    return (continued[0], "scenes-vit") if continued else (frozen_autoencoder().decoder, "scenes-autoencoder")


def decoders() -> dict[str, tuple[nn.Module, str, str]]:
    """Name -> (decoder, family, run) of everything trained so far."""
    light, light_run = light_decoder()
    found = {"vit": (light, "vit", light_run)}
    for name, run in (("vae", "scenes-vae"), ("tae", "scenes-tae")):
        trained = trained_decoder(run)
        if trained:
            found[name] = (trained[0], trained[1]["family"], run)
    if vq := trained_vq(VQDecoder):
        found["vq"] = (vq, "vqgan", "scenes-vq")
    found["proj"] = (fitted(), "projection", light_run)
    return dict(sorted(found.items(), key=lambda item: ORDER.index(item[0])))


def half(state: dict, prefix: str) -> dict:
    return {prefix + k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in state.items()}


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train scenes-export", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    entries, runs = {}, ["scenes-autoencoder"]
    for name, (decoder, family, run) in decoders().items():
        weights = half(decoder.state_dict(), "" if family in ("projection", "vqgan") else "decoder.")
        if name == "vit":
            weights |= half(frozen_autoencoder().encoder.state_dict(), "encoder.")
        if name == "vq":
            weights |= half(trained_vq(VQModel).state_dict(), "")
        path = options.output / f"{name}.safetensors"
        write_atomically(path, lambda p: save_file(weights, p, {"format": "pt"}))
        normed = {"kl": lambda: decoder, "vqgan": lambda: decoder.decoder}.get(family)
        config = {"norm_num_groups": str(normed().conv_norm_out.num_groups)} if normed else {}
        entries[name] = {"file": path.name, "family": family, "config": config}
        runs += [run] if run not in runs else []
        print(f"{path}: {len(weights)} tensors, {path.stat().st_size / 2**20:.2f} MiB")
    space = ready()
    facts = {
        "latent_space": {
            "channels": space["channels"],
            "factor": 8,
            "scaling_factor": space["scaling_factor"],
            "shift_factor": space["shift_factor"],
        },
        "decoders": entries,
        "encoders": {name: entries[name] for name in ("vit", "vq") if name in entries},
        "runs": runs,
    }
    folder = runs_folder() / "scenes-export"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "decoders.json", lambda p: p.write_text(json.dumps(facts, indent=2) + "\n"))

"""Stage 2: a decoder against the frozen latents (`python -m train scenes-decoder --config CONFIG`)."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.autoencoder import colour_error, copies, picture_loss, psnr, test_pictures, to_network, weights_of
from train.dcae import Decoder
from train.kl import KLDecoder
from train.latents import frozen_autoencoder, ready, stored_latents
from train.muon import Muon
from train.runs import NOTHING, SHIPPED, Run, half_precision, training_options, write_atomically
from train.shipped import shipped_decoder
from train.tiny import TinyDecoder
from train.world import contact_sheet, scene

FAMILIES = {"kl": KLDecoder, "vit": Decoder, "taming": TinyDecoder}


def build(config: dict) -> nn.Module:
    return FAMILIES[config["family"]](**config["model"])


class FromRaw(nn.Module):
    """Encoder and decoder joined; some families eat scaled latents, the others raw ones."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, family: str):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.scale = ready()["scaling_factor"] if family in ("taming", "projection") else 1.0

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return self.decoder(z * self.scale)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decode(self.encoder(x))


class StoredScenes:
    """Training scenes in the order of their seeds, with their frozen raw latents; encoding may still be going on."""

    def __init__(self, batch: int):
        self.batch, self.facts = batch, ready()
        self.rows = stored_latents(self.facts)

    def __call__(self, step: int) -> tuple[Tensor, list[dict], Tensor]:
        """Drawings [N, 3, H, W] in -1..1, their facts, raw latents."""
        if (step + 1) * self.batch > len(self.rows):
            self.rows = stored_latents(ready())
        index = [(step * self.batch + k) % len(self.rows) for k in range(self.batch)]
        scenes = [scene(self.facts["first_seed"] + i) for i in index]
        z = torch.from_numpy(self.rows[index].astype(np.float32))
        return to_network(np.stack([s[0] for s in scenes])), [s[2] for s in scenes], z


def train(config: dict, start: Path | None = None) -> None:
    torch.manual_seed(config["seed"])
    frozen = frozen_autoencoder()
    decoder = build(config)
    if config["family"] == "vit":  # goes on from the decoder that was trained with the encoder
        decoder.load_state_dict(frozen.decoder.state_dict())
    elif start:
        decoder.load_state_dict(shipped_decoder(start))
    if config["family"] != "kl":  # torch's group norm is slower in channels-last
        decoder = decoder.to(memory_format=torch.channels_last)
    optimizer = Muon(decoder.parameters(), lr=config["learning_rate"])
    run = Run(config, decoder, optimizer, SHIPPED if start else NOTHING)
    pair = FromRaw(frozen.encoder, decoder, config["family"])
    averaged = FromRaw(frozen.encoder, build(config).eval(), config["family"])
    shown, shown_facts = test_pictures(48)
    batch = config["batch"]
    stored = StoredScenes(batch)

    def one_step(step: int):
        target, facts, z = stored(step)
        z = z + torch.rand(batch, 1, 1, 1) * config["latent_noise"] * torch.randn_like(z)
        with half_precision():
            made = pair.decode(z).float()
        loss = picture_loss(made, target, weights_of(facts, config["object_weight"]), config["gradient_weight"])
        return loss, {"loss": loss.item(), "psnr": -10 * np.log10(F.mse_loss(made.detach(), target).item() / 4)}

    def evaluate() -> dict:
        from PIL import Image

        averaged.decoder.load_state_dict(run.average.values)
        made = copies(averaged, shown)
        pairs = np.stack([shown[:16], made[:16]], 1).reshape(-1, *shown.shape[1:])
        write_atomically(
            run.folder / "copies.png", lambda path: Image.fromarray(contact_sheet(pairs, 8)).save(path, "png")
        )
        return {"test_psnr": float(psnr(made, shown).mean()), "colour_error": colour_error(made, shown, shown_facts)}

    run.train(one_step, evaluate)


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train scenes-decoder", description=__doc__)
    parser.add_argument("--start", type=Path, help="shipped weights to go on from, for a run without a checkpoint")
    options, config = training_options(parser, arguments)
    train(config, options.start)

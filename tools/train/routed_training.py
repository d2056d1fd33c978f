"""The routed decoder of the scenes latent space (`python -m train scenes-routed`).

Both branches learn on every picture, the trunk from both; the gate learns by regret: what the heavy branch really gained over the
light one on each tile, by the very loss that both are trained with. No labels.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from train.autoencoder import picture_loss, psnr, test_pictures, to_network, to_pictures, weights_of
from train.decoder import StoredScenes
from train.latents import frozen_autoencoder
from train.muon import Muon
from train.routed import RoutedDecoder, mixed, route
from train.runs import NOTHING, Run, half_precision, training_options, write_atomically
from train.world import contact_sheet

GAIN_SCALE = 10.0  # gains are small numbers; the gate's are of order one


def tile_errors(made: Tensor, target: Tensor, side: int, gradient_weight: float) -> Tensor:
    """The training loss of every tile of `side` pixels, object weights left out: [N, y, x]."""
    error = made - target
    across = F.pad((error[..., 1:] - error[..., :-1]).abs(), (0, 1))
    down = F.pad((error[..., 1:, :] - error[..., :-1, :]).abs(), (0, 0, 0, 1))
    whole = error.abs() + error.square() + gradient_weight * (across + down)
    return F.avg_pool2d(whole.mean(1, keepdim=True), side)[:, 0]


def gains(light: Tensor, heavy: Tensor, target: Tensor, side: int, gradient_weight: float) -> Tensor:
    """What the heavy branch gains on every tile, in the gate's units."""
    errors = (tile_errors(made, target, side, gradient_weight) for made in (light, heavy))
    return GAIN_SCALE * (next(errors) - next(errors))


@torch.no_grad()
def rules(
    model: RoutedDecoder, latents: Tensor, made: tuple[Tensor, Tensor, Tensor], target: Tensor, gradient_weight: float, seed: int = 0
) -> dict[str, Tensor]:
    """Scores of every tile [N, y, x] by the gate, an oracle, the energy of the latents, and chance. `made`: what both() gives."""
    features, light, heavy = made
    tiles = tuple(s // model.tile for s in latents.shape[2:])
    detail = (latents - F.avg_pool2d(latents, 3, 1, 1)).square().mean(1, keepdim=True)
    return {
        "oracle": gains(light, heavy, target, model.tile * model.factor, gradient_weight),
        "gate": model.gate(features, model.tile),
        "energy": F.avg_pool2d(detail, model.tile)[:, 0],
        "random": torch.rand(len(latents), *tiles, generator=torch.Generator().manual_seed(seed)),
    }


@torch.no_grad()
def curves(model: RoutedDecoder, latents: Tensor, drawings: np.ndarray, gradient_weight: float) -> dict[str, list[float]]:
    """Mean PSNR at each heavy share when the gate, an oracle, the energy of the latents, or chance chooses the tiles."""
    made = _, light, heavy = model.both(latents)
    side = model.tile * model.factor
    scores = rules(model, latents, made, to_network(drawings), gradient_weight)
    return {
        rule: [
            round(float(psnr(to_pictures(mixed(light, heavy, route(score, share / 10), side)), drawings).mean()), 3)
            for share in range(11)
        ]
        for rule, score in scores.items()
    }


def gain_over_chance(found: dict[str, list[float]]) -> list[float]:
    """The gate's share of what the oracle gains over chance, at heavy shares of 10 to 90 %."""
    rows = zip(found["random"][1:-1], found["gate"][1:-1], found["oracle"][1:-1])
    return [round((g - r) / max(o - r, 1e-6), 3) for r, g, o in rows]


def train(config: dict) -> RoutedDecoder:
    torch.manual_seed(config["seed"])
    model = RoutedDecoder(**config["model"]).to(memory_format=torch.channels_last)
    run = Run(config, model, Muon(model.parameters(), lr=config["learning_rate"]), NOTHING)
    averaged = RoutedDecoder(**config["model"]).eval()
    stored = StoredScenes(config["batch"])
    drawings, _ = test_pictures(config["scored_pictures"])
    encoder = frozen_autoencoder().encoder
    with torch.no_grad():
        latents = torch.cat([encoder(to_network(drawings[i : i + 16])) for i in range(0, len(drawings), 16)])
    side, gradient_weight = model.tile * 8, config["gradient_weight"]

    def one_step(step: int) -> tuple[Tensor, dict]:
        target, facts, z = stored(step)
        z = z + torch.rand(len(z), 1, 1, 1) * config["latent_noise"] * torch.randn_like(z)
        with half_precision():
            features, light, heavy = model.both(z)
            predicted = model.gate(features.detach(), model.tile)
        light, heavy = light.float(), heavy.float()
        weights = weights_of(facts, config["object_weight"])
        losses = [picture_loss(made, target, weights, gradient_weight) for made in (light, heavy)]
        wanted = gains(light.detach(), heavy.detach(), target, side, gradient_weight)
        regret = F.smooth_l1_loss(predicted.float(), wanted)
        loss = config["light_weight"] * losses[0] + losses[1] + regret
        decibels = [-10 * np.log10(F.mse_loss(made.detach(), target).item() / 4) for made in (light, heavy)]
        return loss, {"loss": loss.item(), "psnr_light": decibels[0], "psnr_heavy": decibels[1], "regret": regret.item()}

    def evaluate() -> dict:
        from PIL import Image

        averaged.load_state_dict(run.average.values)
        found = curves(averaged, latents, drawings, gradient_weight)
        with torch.no_grad():
            made = [to_pictures(averaged(latents[:16], share)) for share in (0.0, 0.3, 1.0)]
        rows = np.stack([drawings[:16], *made], 1).reshape(-1, *drawings.shape[1:])
        write_atomically(run.folder / "copies.png", lambda path: Image.fromarray(contact_sheet(rows, 8)).save(path, "png"))
        scores = {"curves": found, "gain": gain_over_chance(found)}
        write_atomically(run.folder / "scores.json", lambda path: path.write_text(json.dumps(scores, indent=1) + "\n"))
        return {"light": found["gate"][0], "heavy": found["gate"][-1], "gain": scores["gain"]}

    run.train(one_step, evaluate)
    averaged.load_state_dict(run.average.values)
    return averaged


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train scenes-routed", description=__doc__)
    _, config = training_options(parser, arguments, "scenes_routed.json")
    train(config)

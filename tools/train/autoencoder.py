"""Stage 1: the latent space, encoder and light decoder trained together (`python -m train scenes-autoencoder`)."""

from __future__ import annotations

import argparse

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from train.dcae import Autoencoder
from train.muon import Muon
from train.runs import NOTHING, SHIPPED, Run, half_precision, training_options, write_atomically
from train.shipped import shipped_autoencoder
from train.world import COLOURS, TEST, batches, contact_sheet, object_weights, scene


def to_network(pictures: np.ndarray) -> Tensor:
    """uint8 [N, H, W, 3] to float [N, 3, H, W] in -1..1."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pictures(x: Tensor) -> np.ndarray:
    return ((x.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()


def psnr(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Per picture, in dB, of uint8 pictures."""
    error = ((a.astype(np.float32) - b) ** 2).reshape(len(a), -1).mean(1)
    return 10 * np.log10(255**2 / np.maximum(error, 1e-6))


def picture_loss(made: Tensor, target: Tensor, weights: Tensor, gradient_weight: float) -> Tensor:
    """Weighted L1 + MSE, and L1 between the differences of neighbouring pixels: edges must stay edges."""
    error = made - target
    loss = (weights * (error.abs() + error.square())).mean()
    across = (weights[..., 1:] * (error[..., 1:] - error[..., :-1]).abs()).mean()
    down = (weights[..., 1:, :] * (error[..., 1:, :] - error[..., :-1, :]).abs()).mean()
    return loss + gradient_weight * (across + down)


def weights_of(facts: list[dict], weight: float) -> Tensor:
    return torch.from_numpy(np.stack([object_weights(f, weight) for f in facts]))[:, None]


def colour_error(made: np.ndarray, drawn: np.ndarray, facts: list[dict]) -> float:
    """Mean distance (0..255, per channel) of an object's saturated pixels between drawing and copy."""
    errors = []
    for copy, picture, fact in zip(made.astype(np.float32), drawn.astype(np.float32), facts):
        for group in fact["groups"]:
            colour = np.asarray(COLOURS[group["colour"]], np.float32) * 255
            for x, y, size in group["boxes"]:
                box = (slice(max(y, 0), y + size), slice(max(x, 0), x + size))
                near = np.abs(picture[box] - colour).max(-1) < 30
                if near.sum() >= 20:
                    errors.append(np.abs(copy[box][near].mean(0) - picture[box][near].mean(0)).mean())
    return float(np.mean(errors))


def test_pictures(count: int, start: int = TEST.start) -> tuple[np.ndarray, list[dict]]:
    rows = [scene(seed) for seed in range(start, start + count)]
    return np.stack([r[0] for r in rows]), [r[2] for r in rows]


@torch.no_grad()
def copies(model: torch.nn.Module, pictures: np.ndarray, batch: int = 16) -> np.ndarray:
    return np.concatenate(
        [to_pictures(model(to_network(pictures[i : i + batch]))) for i in range(0, len(pictures), batch)]
    )


def train(config: dict, start: bool = False) -> None:
    torch.manual_seed(config["seed"])
    model = Autoencoder(config["model"])
    if start:
        model.load_state_dict(shipped_autoencoder()["model"])
    model = model.to(memory_format=torch.channels_last)
    optimizer = Muon(model.parameters(), lr=config["learning_rate"])
    run = Run(config, model, optimizer, SHIPPED if start else NOTHING)
    data = batches(run.step * config["batch"], config["batch"])
    shown, shown_facts = test_pictures(48)
    averaged = Autoencoder(config["model"]).eval()

    def one_step(_: int):
        pictures, _, facts = next(data)
        target = to_network(pictures)
        with half_precision():
            z = model.encoder(target).float()
        moments = z.mean((0, 2, 3)).square().mean() + (z.std((0, 2, 3)) - 1).square().mean()
        noise = torch.rand(len(z), 1, 1, 1) * config["latent_noise"]
        with half_precision():
            made = model.decoder(z + noise * torch.randn_like(z)).float()
        loss = picture_loss(made, target, weights_of(facts, config["object_weight"]), config["gradient_weight"])
        mse = F.mse_loss(made.detach(), target).item()
        return loss + config["latent_moments_weight"] * moments, {
            "loss": loss.item(),
            "psnr": -10 * np.log10(mse / 4),
            "moments": moments.item(),
        }

    def evaluate() -> dict:
        from PIL import Image

        averaged.load_state_dict(run.average.values)
        made = copies(averaged, shown)
        rows = np.stack([shown[:16], made[:16]], 1).reshape(-1, *shown.shape[1:])
        write_atomically(
            run.folder / "copies.png", lambda path: Image.fromarray(contact_sheet(rows, 8)).save(path, "png")
        )
        return {"test_psnr": float(psnr(made, shown).mean()), "colour_error": colour_error(made, shown, shown_facts)}

    run.train(one_step, evaluate)


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train scenes-autoencoder", description=__doc__)
    parser.add_argument("--start", action="store_true", help="go on from the shipped weights, where there is no checkpoint")
    options, config = training_options(parser, arguments, "scenes_autoencoder.json")
    train(config, options.start)

"""`motion-unet`: trains the denoiser of clips and the picture encoder on stored latents."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from train.motion_latents import ready, stored
from train.motion_unet import Motion, start_from_scenes
from train.muon import Muon
from train.runs import OF_SCENES, SHIPPED, Run, averaged_weights, half_precision, training_options
from train.shipped import SCENES, shipped_part
from train.unet_training import spread

VALIDATION = 64  # the first of the stored clips are never trained on
EVALUATED_AT = 16  # clips at once, of the validation


class Task:
    """Noisy clips and what the denoiser should answer."""

    def __init__(self, config: dict) -> None:
        self.config = config
        self.refresh()

    def refresh(self) -> None:
        """The store may still be growing."""
        facts = ready()
        self.count, self.scale = facts["count"], facts["scaling_factor"]
        self.rows = stored(facts)

    def loss(self, model: Motion, places: np.ndarray, levels: np.ndarray, rng: np.random.Generator) -> Tensor:
        """`levels`: where in the distribution of noise each clip lies, 0 to 1."""
        row = {name: torch.from_numpy(values[places].astype(np.float32)) for name, values in self.rows.items()}
        noise_facts = self.config["noise"]
        normal = torch.special.ndtri(torch.from_numpy(levels).float().clamp(1e-6, 1 - 1e-6))
        sigma = (noise_facts["centre"] + noise_facts["width"] * normal).exp()
        sigma = sigma.clamp(noise_facts["smallest"], noise_facts["largest"])
        shown = torch.from_numpy((rng.random(len(places)) >= self.config["no_picture"]).astype(np.float32))
        x0 = row["frames"] * self.scale
        noise = torch.from_numpy(rng.standard_normal(x0.shape, dtype=np.float32))
        wide = sigma[:, None, None, None, None]
        size = (wide * wide + 1).sqrt()
        noisy = (x0 + wide * noise) / size
        still = (row["still"] * shown[:, None, None, None])[:, None].expand_as(x0)
        fps, bucket, grain = row["numbers"].unbind(1)
        with half_precision():
            token = model.picture.read(row["picture"] / 255) * shown[:, None, None]
            made, moved = model.unet.with_moves(
                torch.cat([noisy, still], 2), 0.25 * sigma.log(), token, torch.stack([fps - 1, bucket, grain], 1)
            )
        missed = (moved - x0)[shown > 0].square().sum() / x0.numel()
        return (made.float() - (noise - wide * x0) / size).square().mean() + self.config["moves_weight"] * missed


def started(config: dict, start: Path | None) -> Motion:
    model = Motion(**config["model"])
    if start:
        model.unet.load_state_dict(shipped_part("denoiser.pt", start).state_dict())
        model.picture.load_state_dict(shipped_part("image_encoder.pt", start).state_dict())
    else:
        start_from_scenes(model.unet, shipped_part("denoiser.pt", SCENES).state_dict())
    return model.to(memory_format=torch.channels_last)


def train(config: dict, start: Path | None = None) -> None:
    torch.manual_seed(config["seed"])
    task = Task(config)
    model = started(config, start)
    optimizer = Muon(model.parameters(), lr=config["learning_rate"], betas=(0.9, 0.99), weight_decay=0.01)
    run = Run(config, model, optimizer, SHIPPED if start else OF_SCENES)
    rng = np.random.default_rng([config["seed"], run.step])
    averaged = Motion(**config["model"]).eval().to(memory_format=torch.channels_last)

    def one_step(_: int):
        places = rng.integers(VALIDATION, task.count, size=config["batch"])
        loss = task.loss(model, places, spread(len(places), rng), rng)
        return loss, {"loss": loss.item()}

    def evaluate() -> dict:
        averaged.load_state_dict(run.average.values)
        fixed = np.random.default_rng(0)
        with torch.no_grad():
            parts = [
                task.loss(averaged, np.arange(i, i + EVALUATED_AT), spread(EVALUATED_AT, fixed), fixed)
                for i in range(0, VALIDATION, EVALUATED_AT)
            ]
        task.refresh()
        return {"validation_loss": round(float(torch.stack(parts).mean()), 5)}

    run.train(one_step, evaluate)


def load_motion(config: dict) -> Motion:
    """The averaged weights of the last checkpoint."""
    model = Motion(**config["model"])
    model.load_state_dict(averaged_weights(config["name"]))
    return model.eval().to(memory_format=torch.channels_last)


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train motion-unet", description=__doc__)
    parser.add_argument("--start", type=Path, help="a shipped package to go on from, for a run without a checkpoint")
    options, config = training_options(parser, arguments, "motion_unet.json")
    train(config, options.start)

"""`scenes-unet`: trains the denoiser on stored latents, with captions written anew at every visit."""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from train.latents import ready, stored_latents
from train.muon import Muon
from train.prompts import loose_caption
from train.runs import CONFIGS, NOTHING, SHIPPED, Run, averaged_weights, half_precision, read_config, training_options
from train.shipped import shipped_part
from train.text_encoder import encode, load_encoder
from train.torchscript import ScheduleConfig, alphas_cumprod
from train.unet import UNet
from train.world import plan

VALIDATION = 256  # the first of the stored latents are never trained on


class Latents:
    """The stored latents of consecutive scenes, scaled to unit variance; the store may still be growing."""

    def __init__(self) -> None:
        self.refresh()

    def refresh(self) -> None:
        facts = ready()
        self.values = stored_latents(facts)
        self.first_seed = facts["first_seed"]
        self.scale = facts["scaling_factor"]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, places: np.ndarray) -> Tensor:
        return torch.from_numpy(self.values[places].astype(np.float32)) * self.scale


def caption_for(seed: int, config: dict, rng: np.random.Generator) -> str:
    draw = rng.random()
    if draw < config["empty_captions"]:
        return ""
    facts, caption, _ = plan(seed)
    if draw < config["empty_captions"] + config["loose_captions"]:
        caption, _ = loose_caption(copy.deepcopy(facts), rng)
    return caption


def spread(count: int, rng: np.random.Generator) -> np.ndarray:
    """Positions in the schedule, one from each of `count` equal parts: less variance than independent draws."""
    return (rng.permutation(count) + rng.random(count)) / count


def focused(positions: np.ndarray, config: dict) -> np.ndarray:
    """Moves a share of even positions to where shapes are decided: a logit-normal around the middle noise levels."""
    normal = torch.special.ndtri(torch.from_numpy(positions).clamp(1e-6, 1 - 1e-6))
    moved = torch.sigmoid(config["centre"] + config["width"] * normal).numpy()
    chosen = np.arange(len(positions)) < config["share"] * len(positions)
    return np.where(chosen, moved, positions)


class Task:
    """Noisy latents and what the denoiser should answer."""

    def __init__(self, config: dict) -> None:
        self.config = config
        self.latents = Latents()
        self.encoder, self.tokenizer = load_encoder(read_config(CONFIGS / "scenes_text.json"))
        signal = alphas_cumprod(ScheduleConfig(**config["schedule"]))
        self.alpha, self.sigma = signal.sqrt(), (1 - signal).sqrt()

    def loss(self, model: UNet, places: np.ndarray, positions: np.ndarray, rng: np.random.Generator) -> Tensor:
        """`positions`: where in the schedule each sample is noised, 0 to 1."""
        x0 = self.latents[places]
        timestep = torch.from_numpy((positions * len(self.alpha)).astype(np.int64))
        alpha, sigma = (table[timestep][:, None, None, None] for table in (self.alpha, self.sigma))
        noise = torch.from_numpy(rng.standard_normal(x0.shape, dtype=np.float32))
        captions = [caption_for(self.latents.first_seed + int(place), self.config, rng) for place in places]
        context = encode(self.encoder, self.tokenizer, captions)
        with half_precision():
            made = model(alpha * x0 + sigma * noise, timestep.float(), context)
        return (made.float() - (alpha * noise - sigma * x0)).square().mean()


def train(config: dict, start: Path | None = None) -> None:
    torch.manual_seed(config["seed"])
    task = Task(config)
    model = UNet(**config["model"])
    if start:
        model.load_state_dict(shipped_part(start.name, start.parent).state_dict())
    model = model.to(memory_format=torch.channels_last)
    optimizer = Muon(model.parameters(), lr=config["learning_rate"], betas=(0.9, 0.99), weight_decay=0.01)
    run = Run(config, model, optimizer, SHIPPED if start else NOTHING)
    rng = np.random.default_rng([config["seed"], run.step])
    averaged = UNet(**config["model"]).eval().to(memory_format=torch.channels_last)

    def one_step(_: int):
        places = rng.integers(VALIDATION, len(task.latents), size=config["batch"])
        loss = task.loss(model, places, focused(spread(len(places), rng), config["noise_focus"]), rng)
        return loss, {"loss": loss.item()}

    def evaluate() -> dict:
        averaged.load_state_dict(run.average.values)
        fixed = np.random.default_rng(0)
        with torch.no_grad():
            parts = [task.loss(averaged, np.arange(i, i + 64), spread(64, fixed), fixed) for i in range(0, VALIDATION, 64)]
        task.latents.refresh()
        return {"validation_loss": round(float(torch.stack(parts).mean()), 5)}

    run.train(one_step, evaluate)


def load_unet(config: dict) -> UNet:
    """The averaged weights of the last checkpoint."""
    model = UNet(**config["model"])
    model.load_state_dict(averaged_weights(config["name"]))
    return model.eval().to(memory_format=torch.channels_last)


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train scenes-unet", description=__doc__)
    parser.add_argument("--start", type=Path, help="a shipped denoiser.pt to go on from, for a run without a checkpoint")
    options, config = training_options(parser, arguments, "scenes_unet.json")
    train(config, options.start)

"""`scenes-samples`: pictures of held-out captions from the training's last checkpoint, judged, as a contact sheet."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from train.autoencoder import to_pictures
from train.judge import load_judge, score
from train.judge_training import held_out_drawings
from train.latents import ready
from train.runs import CONFIGS, read_config, runs_folder, write_atomically
from train.text_encoder import encode, load_encoder
from train.torchscript import ScheduleConfig, scripted
from train.unet import UNet
from train.unet_training import load_unet
from train.world import NOVEL, TEST, contact_sheet, scene


@torch.no_grad()
def sample_latents(
    model: UNet, context: Tensor, empty: Tensor, config: dict, steps: int, cfg_scale: float, seed: int
) -> Tensor:
    """Scaled latents [N, C, 16, 16]; picture i owns the generator seeded `seed + i`."""
    sampler = scripted(config["sampling"]["method"], ScheduleConfig(**config["schedule"]))
    generators = [torch.Generator().manual_seed(seed + i) for i in range(len(context))]
    shape = (config["model"]["channels"], 16, 16)

    def fresh() -> Tensor:
        return torch.stack([torch.randn(shape, generator=generator) for generator in generators])

    state = sampler.init(steps, 1.0)
    sample = fresh() * sampler.initial_noise_scale(state)
    for i, timestep in enumerate(state["timesteps"]):
        noise = fresh() if sampler.needs_noise(i, state) else None
        scaled = sampler.scale_model_input(sample, i, state)
        told = model(scaled, timestep, context)
        plain = model(scaled, timestep, empty.expand_as(context))
        sample, _, state = sampler.step(plain + cfg_scale * (told - plain), i, sample, state, noise)
    return sample


def command(arguments: list[str]) -> None:
    from PIL import Image

    from train.export import light_decoder

    parser = argparse.ArgumentParser(prog="train scenes-samples", description=__doc__)
    parser.add_argument("--config", type=Path, default=CONFIGS / "scenes_unet.json")
    parser.add_argument("-o", "--output", type=Path, required=True, help="contact sheet to write")
    parser.add_argument("--prompt", action="append", help="a caption of your own; nothing is judged then")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--novel", action="store_true", help="captions with pairs of kind and colour never seen")
    parser.add_argument("--record", action="store_true", help="keep the scores for the model's card")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--cfg-scale", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    config = read_config(options.config)
    first = (NOVEL if options.novel else TEST).start
    rows = [] if options.prompt else [scene(seed)[1:] for seed in range(first, first + options.count)]
    captions = options.prompt or [caption for caption, _ in rows]

    encoder, tokenizer = load_encoder(read_config(CONFIGS / "scenes_text.json"))
    steps = options.steps or config["sampling"]["steps"]
    cfg_scale = config["sampling"]["cfg_scale"] if options.cfg_scale is None else options.cfg_scale
    latents = sample_latents(
        load_unet(config), encode(encoder, tokenizer, captions), encode(encoder, tokenizer, [""]), config, steps,
        cfg_scale, options.seed,
    )  # fmt: skip
    decoder = light_decoder()[0]
    with torch.no_grad():
        raw = (latents / ready()["scaling_factor"]).contiguous(memory_format=torch.channels_last)
        pictures = np.concatenate([to_pictures(decoder(part)) for part in raw.split(16)])
    write_atomically(options.output, lambda path: Image.fromarray(contact_sheet(pictures, 8)).save(path, "png"))
    if rows:
        judge = load_judge(read_config(CONFIGS / "scenes_judge.json"))
        result = {"novel" if options.novel else "pictures": _rounded(score(judge, pictures, [fact for _, fact in rows]))}
        if not options.novel:
            result["drawings"] = _rounded(score(judge, *held_out_drawings(len(rows))))
        print(json.dumps({"steps": steps, "cfg_scale": cfg_scale, "count": len(rows)} | result))
        if options.record:
            counted = {"novel_count" if options.novel else "count": len(rows)}
            record(runs_folder() / config["name"] / "scores.json", result | counted)


def record(path: Path, result: dict) -> None:
    """Keeps the newest score of every kind, for the card."""
    scores = (json.loads(path.read_text()) if path.exists() else {}) | result
    write_atomically(path, lambda temporary: temporary.write_text(json.dumps(scores, indent=1) + "\n"))


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}

"""`motion-samples`: clips of held-out pictures from the training's last checkpoint, as filmstrips and with scores."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from train.autoencoder import psnr, to_network, to_pictures
from train.motion_decoder import FromRaw, trained
from train.motion_latents import shipped_space
from train.motion_package import SCORES
from train.motion_scores import distance
from train.motion_unet import Motion
from train.motion_unet_training import load_motion
from train.motion_world import clip, filmstrips
from train.runs import CONFIGS, read_config, write_atomically
from train.torchscript import ScheduleConfig, scripted
from train.world import TEST

HELD_OUT_START = TEST.start + 2_000_000  # not the clips looked at during training


@torch.no_grad()
def sample_clips(
    model: Motion, still: Tensor, token: Tensor, numbers: Tensor, config: dict, frames: int, seed: int
) -> Tensor:
    """Scaled latents [N, frames, C, h, w] as `lightswitch::ImageToVideo` makes them: `still` [N, C, h, w] raw latents of
    the picture, `token` [N, 1, D], `numbers` [N, 3]: frames a second - 1, motion bucket, noise on the picture."""
    how = config["sampling"]
    sampler = scripted(how["method"], ScheduleConfig(**config["schedule"]))
    state = sampler.init(how["steps"], 1.0)
    shape = (len(still), frames, *still.shape[1:])
    sample = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * sampler.initial_noise_scale(state)
    shown = still[:, None].expand(shape)
    guidance = torch.linspace(how["min_cfg"], how["max_cfg"], frames)[None, :, None, None, None]
    for i, timestep in enumerate(state["timesteps"]):
        noisy = sampler.scale_model_input(sample, i, state)
        made = model.unet(torch.cat([noisy, shown], 2), timestep, token, numbers)
        if how["max_cfg"] > 1:
            blind = torch.cat([noisy, torch.zeros_like(shown)], 2)
            plain = model.unet(blind, timestep, torch.zeros_like(token), numbers)
            made = plain + guidance * (made - plain)
        sample, _, state = sampler.step(made, i, sample, state, None)
    return sample


@torch.no_grad()
def generated(model: Motion, drawn: np.ndarray, facts: list[dict], config: dict, seed: int) -> list[Tensor]:
    """Raw latents of a clip for each first frame, with the frame rate and the motion of the drawn clip."""
    autoencoder, scale = shipped_space()
    noise_aug, frames = config["sampling"]["noise_aug"], drawn.shape[1]
    made = []
    for number, (pictures, fact) in enumerate(zip(drawn, facts)):
        picture = to_network(pictures[:1])
        grain = torch.randn(picture.shape, generator=torch.Generator().manual_seed(seed + number))
        numbers = torch.tensor([[fact["motion"]["fps"] - 1.0, float(fact["motion"]["bucket"]), noise_aug]])
        still, token = autoencoder.encoder(picture + noise_aug * grain), model.picture((picture + 1) / 2)
        made.append(sample_clips(model, still, token, numbers, config, frames, seed + number)[0] / scale)
    return made


def change(clips: np.ndarray) -> float:
    """Mean absolute difference from frame to frame, 0..255: how much moves."""
    return float(np.mean([np.abs(np.diff(frames.astype(np.float32), axis=0)).mean() for frames in clips]))


def command(arguments: list[str]) -> None:
    from PIL import Image

    parser = argparse.ArgumentParser(prog="train motion-samples", description=__doc__)
    parser.add_argument("--config", type=Path, default=CONFIGS / "motion_unet.json")
    parser.add_argument("-o", "--output", type=Path, required=True, help="filmstrips to write: a drawn clip, then ours")
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--max-cfg", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--features", type=Path, help="TorchScript network (pictures in 0..1) for the Fréchet distances")
    parser.add_argument("--record", action="store_true", help="keep the scores for the model's card")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    config = read_config(options.config)
    given = {"steps": options.steps, "max_cfg": options.max_cfg}
    config["sampling"] |= {name: value for name, value in given.items() if value is not None}
    rows = [clip(seed) for seed in range(HELD_OUT_START, HELD_OUT_START + options.count)]
    drawn, facts = np.stack([row[0] for row in rows]), [row[2] for row in rows]
    full = read_config(CONFIGS / "motion_full.json")
    autoencoder, scale = shipped_space()
    decoder = FromRaw(trained(full), full["family"], scale)
    made_of = generated(load_motion(config), drawn, facts, config, options.seed)
    with torch.no_grad():
        made = np.stack([to_pictures(decoder(z)) for z in made_of])
        copied = np.stack([to_pictures(decoder(autoencoder.encoder(to_network(frames)))) for frames in drawn])
    strips = np.stack([drawn[:8], made[:8]], 1).reshape(-1, *drawn.shape[1:])
    write_atomically(options.output, lambda path: Image.fromarray(filmstrips(strips)).save(path, "png"))
    features = torch.jit.load(str(options.features)).eval() if options.features else None
    still = np.repeat(copied[:, :1], drawn.shape[1], axis=1)
    scores = {"count": options.count, "steps": config["sampling"]["steps"], "max_cfg": config["sampling"]["max_cfg"]}
    for name, clips in (("generated", made), ("copied", copied), ("still", still)):
        scores[name] = {
            "psnr": float(np.mean([psnr(a, b).mean() for a, b in zip(clips, drawn)])),
            "last_frame_psnr": float(psnr(clips[:, -1], drawn[:, -1]).mean()),
            "change": change(clips),
            "drawn_change": change(drawn),
            "frechet": distance(features, clips, drawn) if features else None,
        }
    print(json.dumps(scores, indent=1))
    if options.record:
        write_atomically(SCORES, lambda temporary: temporary.write_text(json.dumps(scores, indent=1) + "\n"))

"""A gate for a light and a heavy decoder of one latent space (`python -m train gate`): which pictures gain by the heavy one.

Regret regression, without labels: both decoders make every picture once, and a small network on the latents learns by how much the
heavy one came nearer to the photograph. The file it writes is what `routed,light=…,heavy=…,gate=FILE` reads.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from train.autoencoder import to_network
from train.distill import split
from train.muon import Muon
from train.photographs import FACTOR, encoded, find, given_latents, read
from train.routed_training import gains
from train.runs import Run, runs_folder, training_options, write_atomically
from train.teacher import Teacher, load_teacher


class Gate(nn.Module):
    """Latents [N, C, h, w] as the denoiser holds them to the expected gain of the heavy decoder on each picture [N]."""

    def __init__(self, latent_channels: int, width: int):
        super().__init__()
        self.conv1 = nn.Conv2d(latent_channels, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.out = nn.Conv2d(width, 1, 1)

    def forward(self, z: Tensor) -> Tensor:
        return self.out(F.relu(self.conv2(F.relu(self.conv1(z))))).mean((1, 2, 3))


@torch.no_grad()
def gain_map(light: nn.Module, heavy: nn.Module, z: Tensor, picture: np.ndarray, gradient_weight: float) -> Tensor:
    """What the heavy decoder gains at every latent [h, w] of one picture, in the gate's units."""
    made = [decoder(z[None].float()).float() for decoder in (light, heavy)]
    return gains(*made, to_network(picture[None]), FACTOR, gradient_weight)[0]


def random_crops(items: list[tuple[Tensor, Tensor]], edge: int, count: int) -> tuple[Tensor, Tensor]:
    """Latents [count, C, edge, edge] and the mean gain there [count]."""
    latents, wanted = [], []
    for index in torch.randint(len(items), (count,)).tolist():
        z, gain = items[index]
        top, left = (int(torch.randint(length - edge + 1, ())) for length in gain.shape)
        latents.append(z[:, top : top + edge, left : left + edge])
        wanted.append(gain[top : top + edge, left : left + edge].mean())
    return torch.stack(latents).float(), torch.stack(wanted)


def gained(scores: np.ndarray, gain: np.ndarray) -> dict[str, list[float]]:
    """Mean gain over all-light at heavy shares of 0 to 100 % in steps of 10 %, when the scores, the gains themselves, or chance
    choose the pictures."""
    counts = [round(share / 10 * len(gain)) for share in range(11)]
    chosen_by = lambda order: [round(float(gain[order][:count].sum() / len(gain)), 5) for count in counts]
    chance = [round(float(gain.mean() * count / len(gain)), 5) for count in counts]
    return {"gate": chosen_by(np.argsort(-scores)), "oracle": chosen_by(np.argsort(-gain)), "random": chance}


def train(config: dict, items: list[tuple[Tensor, Tensor]]) -> Gate:
    torch.manual_seed(config["seed"])
    edge = config["crop"] // FACTOR
    items = [item for item in items if min(item[1].shape) >= edge]
    if not items:
        raise ValueError(f"no picture is {config['crop']}x{config['crop']} pixels or larger")
    build = lambda: Gate(items[0][0].shape[0], config["width"])
    gate = build()
    run = Run(config, gate, Muon(gate.parameters(), lr=config["learning_rate"]))

    def one_step(_: int) -> tuple[Tensor, dict]:
        z, wanted = random_crops(items, edge, config["batch"])
        loss = F.smooth_l1_loss(gate(z), wanted)
        return loss, {"regret": loss.item()}

    run.train(one_step)
    averaged = build().eval()
    averaged.load_state_dict(run.average.values)
    return averaged


def latents_of(teachers: tuple[Teacher, Teacher], pictures: dict[str, np.ndarray], given: Path | None) -> dict[str, Tensor]:
    channels = {teacher.latent_channels for teacher in teachers}
    if len(channels) > 1:
        raise ValueError(f"light and heavy decoder differ in latent channels: {sorted(channels)}")
    if given:
        return given_latents(given, pictures, channels.pop())
    encoders = [teacher.encoder for teacher in reversed(teachers) if teacher.encoder]
    if not encoders:
        raise ValueError("no file holds an encoder: name its file beside --heavy, or give --latents")
    return {name: encoded(encoders[0], picture) for name, picture in pictures.items()}


def fit(options: argparse.Namespace, config: dict) -> None:
    config |= {"name": f"gate-{options.output.stem}"}
    light, heavy = load_teacher(options.light), load_teacher(options.heavy)
    training, held_out = split(find(options.images), None)
    side = None if options.latents else config["side"]
    pictures = {name: read(path, side) for name, path in (training | held_out).items()}
    z = latents_of((light, heavy), pictures, options.latents)
    maps = {}
    for name, picture in pictures.items():
        maps[name] = gain_map(light.decoder, heavy.decoder, z[name], picture, config["gradient_weight"])
        if len(maps) % 50 == 0 or len(maps) == len(pictures):
            print(f"decoded both ways: {len(maps)} of {len(pictures)}", file=sys.stderr, flush=True)
    gate = train(config, [(z[name], maps[name]) for name in training])
    weights = {f"gate.{name}": value.contiguous() for name, value in gate.state_dict().items()}
    write_atomically(options.output, lambda part: save_file(weights, part, {"format": "pt"}))
    with torch.no_grad():
        scores = np.array([float(gate(z[name][None].float())) for name in held_out])
    found = gained(scores, np.array([float(maps[name].mean()) for name in held_out]))
    path = runs_folder() / config["name"] / "scores.json"
    write_atomically(path, lambda part: part.write_text(json.dumps(found, indent=1) + "\n"))
    print(f"gain on {len(held_out)} held-out pictures at heavy shares of 0 to 100 %:")
    print("\n".join(f"{rule:8}" + "".join(f"{value:9.4f}" for value in values) for rule, values in found.items()))


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train gate", description=__doc__)
    for name in ("light", "heavy"):
        parser.add_argument(
            f"--{name}", type=Path, nargs="+", required=True, help="weights as `distill --teacher` takes them, encoder beside or not"
        )
    parser.add_argument("--images", type=Path, required=True, help="folder of photographs; every tenth is held out")
    parser.add_argument("-o", "--output", type=Path, required=True, help="safetensors file to write; its name is the run's")
    parser.add_argument("--latents", type=Path, help="safetensors: latents under every picture's name, instead of encoding")
    try:
        fit(*training_options(parser, arguments, "gate.json"))
    except ValueError as error:
        raise SystemExit(f"gate: {error}") from None

"""The gate between both decoders, by regret regression: no labels but what both really made of the same codes.

`python -m train speech-gate --sounds DIR` fits it, and says where it stands between chance, a rule that looks at the energy of the
embedding, and an oracle that knows the regret.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.runs import runs_folder, write_atomically
from train.speech.codec import Codec
from train.speech.light import PAST, trained_codec, trained_light
from train.speech.soundstream import HEAVY, Decoder
from train.speech.sounds import read, speakers
from train.speech.spectra import log_mel

SHARES = tuple(i / 10 for i in range(11))  # of the light decoder
FADE = 80  # samples


class Gate(nn.Module):
    """Dequantized features [B, 64, T] to the expected regret of frame t from frames t-2 … t: [B, T]."""

    def __init__(self, hidden: int = 16):
        super().__init__()
        self.conv = nn.Conv1d(HEAVY.features, hidden, 3)
        self.out = nn.Conv1d(hidden, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        return self.out(F.relu(self.conv(F.pad(features, (2, 0)))))[:, 0]


def frame_errors(made: Tensor, target: Tensor) -> Tensor:
    """Log-mel distance around each frame: [B, T * hop] twice to [B, T]."""
    window = 1024
    side = (window - HEAVY.hop) // 2
    spectra = [log_mel(F.pad(x, (side, side)), window, HEAVY.hop) for x in (made, target)]
    return (spectra[0] - spectra[1]).abs().mean(2)


@torch.no_grad()
def both_ways(codec: Codec, light: Decoder, samples: Tensor) -> dict[str, Tensor]:
    """Features, both decoders' samples and the regret of every frame, of recordings [B, n] of whole frames."""
    features = codec.quantizer.dequantized(codec.quantizer.indices(codec.encoder(samples)))
    heavy, small = codec.heavy(features), light(features)
    return {
        "features": features,
        "heavy": heavy,
        "light": small,
        "regret": frame_errors(small, samples) - frame_errors(heavy, samples),
    }


def of_files(codec: Codec, light: Decoder, files: list[Path]) -> list[dict[str, Tensor]]:
    results = []
    for path in files:
        samples = read(path)
        samples = torch.from_numpy(samples[: len(samples) // HEAVY.hop * HEAVY.hop].astype(np.float32))[None] / 32768
        results.append(both_ways(codec, light, samples) | {"samples": samples})
    return results


def fit(parts: list[dict[str, Tensor]], steps: int, frames: int = 400, batch: int = 32) -> Gate:
    torch.manual_seed(13)
    gate = Gate()
    optimizer = torch.optim.AdamW(gate.parameters(), lr=5e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps)
    features = torch.cat([part["features"][0] for part in parts], 1)
    regret = torch.cat([part["regret"][0] for part in parts])
    for _ in range(steps):
        begins = torch.randint(features.shape[1] - frames, (batch,)).tolist()
        found = gate(torch.stack([features[:, b : b + frames] for b in begins]))
        wanted = torch.stack([regret[b : b + frames] for b in begins])
        loss = F.smooth_l1_loss(found[:, PAST:], wanted[:, PAST:], beta=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return gate.eval().requires_grad_(False)


def routed(part: dict[str, Tensor], heavy: Tensor) -> Tensor:
    """What is heard on a route [T] of frames, fades included: [1, n]."""
    weight = torch.repeat_interleave(heavy.float(), HEAVY.hop)
    before = torch.cat([heavy[:1], heavy[:-1]]).float()
    ramp = torch.ones(HEAVY.hop)
    ramp[:FADE] = 0.5 - 0.5 * torch.cos(torch.pi * (torch.arange(FADE) + 0.5) / FADE)
    last = torch.repeat_interleave(before, HEAVY.hop)
    weight = last + (weight - last) * ramp.repeat(len(heavy))
    return part["light"] + (part["heavy"] - part["light"]) * weight


def by_share(scores: Tensor, share: float) -> Tensor:
    """Heavy where the score is among the largest, so that `share` are light."""
    count = round((1 - share) * len(scores))
    heavy = torch.zeros(len(scores), dtype=torch.bool)
    heavy[scores.topk(count).indices] = True
    return heavy


def curve(parts: list[dict[str, Tensor]], rule) -> list[float]:
    """Mean log-mel distance at each light share, when the rule's scores [T] choose within each recording."""
    means = []
    for share in SHARES:
        errors = [
            frame_errors(routed(part, by_share(rule(part), share)), part["samples"]).mean().item() for part in parts
        ]
        means.append(round(sum(errors) / len(errors), 4))
    return means


def curves(parts: list[dict[str, Tensor]], gate: Gate) -> dict[str, list[float]]:
    generator = torch.Generator().manual_seed(0)
    rules = {
        "oracle": lambda part: part["regret"][0],
        "gate": lambda part: gate(part["features"])[0],
        "energy": lambda part: part["features"][0].square().sum(0),
        "random": lambda part: torch.rand(part["regret"].shape[1], generator=generator),
    }
    return {name: curve(parts, rule) for name, rule in rules.items()}


def gains(found: dict[str, list[float]]) -> list[float | None]:
    """The gate's share of what the oracle gains over chance, at every light share."""
    return [
        round((r - g) / (r - o), 3) if r - o > 1e-4 else None
        for r, g, o in zip(found["random"], found["gate"], found["oracle"])
    ]


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train speech-gate", description=__doc__)
    parser.add_argument("--sounds", type=Path, required=True, help="recordings at 16 kHz, one file a speaker (flac, wav)")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    codec, light = trained_codec(), trained_light()
    training, held_out = speakers(options.sounds)
    gate = fit(of_files(codec, light, training), options.steps)
    parts = of_files(codec, light, held_out)
    found = curves(parts, gate)
    found |= {"light_share": list(SHARES), "gain": gains(found)}
    predicted = torch.cat([gate(part["features"])[0] for part in parts])
    regret = torch.cat([part["regret"][0] for part in parts])
    found["correlation"] = round(torch.corrcoef(torch.stack([predicted, regret]))[0, 1].item(), 3)
    folder = runs_folder() / "speech-gate"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "gate.pt", lambda part: torch.save(gate.state_dict(), part))
    write_atomically(folder / "curves.json", lambda part: part.write_text(json.dumps(found, indent=1) + "\n"))
    print(json.dumps(found, indent=1))
    worst = [share for share, g, e in zip(SHARES, found["gate"], found["energy"]) if 0 < share < 1 and g > e]
    if worst:
        raise SystemExit(f"the gate is no better than the energy rule at light shares {worst}")

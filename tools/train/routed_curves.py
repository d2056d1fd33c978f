"""How good a routed decoder is at every heavy share, and how good its gate: beside an oracle, a rule of energy, and chance."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from train.autoencoder import psnr, to_network, to_pictures
from train.routed import RoutedDecoder, mixed, route
from train.routed_training import rules

SHARES = [step / 10 for step in range(11)]
DRAWS = 3  # of chance, averaged


@torch.no_grad()
def quality_curves(
    model: RoutedDecoder, items: Iterable[tuple[np.ndarray, Tensor]], gradient_weight: float, judge: nn.Module | None
) -> dict[str, dict[str, list[float]]]:
    """Means over pictures, by measure ("psnr", with a judge "lpips"), rule and share.

    `items`: uint8 pictures [H, W, 3] and their raw latents [C, h, w], h and w multiples of the tile.
    """
    sums: dict[str, dict[str, np.ndarray]] = {}
    count = 0
    for picture, z in items:
        if any(side % model.tile for side in z.shape[1:]):
            raise ValueError(f"expected latents in whole tiles of {model.tile}, found {tuple(z.shape)}")
        made = _, light, heavy = model.both(z[None])
        target, side = to_network(picture[None]), model.tile * model.factor
        scores = rules(model, z[None], made, target, gradient_weight, count)
        chance = [scores.pop("random")] + [
            rules(model, z[None], made, target, gradient_weight, -draw - count * DRAWS)["random"] for draw in range(1, DRAWS)
        ]
        for rule, several in {**{name: [score] for name, score in scores.items()}, "random": chance}.items():
            for score in several:
                for place, share in enumerate(SHARES):
                    copy = to_pictures(mixed(light, heavy, route(score, share), side))
                    found = {"psnr": float(psnr(copy, picture[None])[0])}
                    if judge:
                        found["lpips"] = float(judge(to_network(copy), target))
                    for measure, value in found.items():
                        row = sums.setdefault(measure, {}).setdefault(rule, np.zeros(len(SHARES)))
                        row[place] += value / len(several)
        count += 1
    if not count:
        raise ValueError("no pictures to measure on")
    return {
        measure: {rule: [round(float(v), 5) for v in row / count] for rule, row in by_rule.items()}
        for measure, by_rule in sums.items()
    }


def verdict(found: dict[str, list[float]], better: int) -> dict:
    """What the gate's curve is worth between the ends. `better`: 1 where more is better, -1 where less is."""
    gate, chance, energy, oracle = (better * np.array(found[rule]) for rule in ("gate", "random", "energy", "oracle"))
    inner = slice(1, -1)
    gained = (gate - chance)[inner] / np.maximum((oracle - chance)[inner], 1e-6)
    return {
        "above_random": bool((gate > chance)[inner].all()),
        "above_energy": bool((gate > energy)[inner].all()),
        "share_of_oracles_gain": [round(float(v), 3) for v in gained],
        "gap_closed_at_20_percent": round(float((gate[2] - gate[0]) / max(gate[-1] - gate[0], 1e-6)), 3),
    }

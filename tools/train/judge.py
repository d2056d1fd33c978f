"""The automatic judge: a small detector that finds sky, ground and objects in a picture and checks them against facts.

It sees real drawings only, with the damage that decoders do (blur, noise, lost colour depth), never generated ones.
An object is found at its centre on a grid of 8 pixels; groups, counts and sides follow from the centres.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from train.backdrop import GROUNDS, SKIES
from train.runs import runs_folder
from train.shipped import shipped_part
from train.world import COLOURS, KINDS, MIDDLE, SIZES

CELL = 8
# What may be told about a picture; every entry counts as one fact.
SCENE_FACTS = ("sky", "ground")
GROUP_FACTS = ("kind", "colour", "count", "size", "side")


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x))))))


class Judge(nn.Module):
    """Pictures [B, 3, H, W] in -1..1 -> per cell scores of kinds, colours and sizes, and scene scores."""

    def __init__(self, widths: list[int], blocks: list[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.PixelUnshuffle(4)]
        before = 48
        for stage, (width, depth) in enumerate(zip(widths, blocks)):
            stride = 1 if stage == 0 else 2
            layers += [nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            layers += [Residual(width) for _ in range(depth)]
            before = width
        self.trunk = nn.Sequential(*layers)
        self.kind = nn.Conv2d(before, len(KINDS), 3, padding=1)
        self.colour = nn.Conv2d(before, len(COLOURS), 3, padding=1)
        self.size = nn.Conv2d(before, len(SIZES), 3, padding=1)
        self.sky = nn.Linear(2 * before, len(SKIES))
        self.ground = nn.Linear(2 * before, len(GROUNDS))
        nn.init.constant_(self.kind.bias, -4.0)  # objects are rare: start from "nothing here"

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        x = self.trunk(pictures)
        half = x.shape[2] // 2
        top, bottom = x[:, :, :half].mean((2, 3)), x[:, :, half:].mean((2, 3))
        both = torch.cat([top, bottom], 1)
        return {
            "kind": self.kind(x), "colour": self.colour(x), "size": self.size(x),
            "sky": self.sky(both), "ground": self.ground(both),
        }  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Found:
    """What the judge sees in one picture; groups by kind."""

    sky: str
    ground: str
    groups: dict[str, dict]


@torch.no_grad()
def look(judge: nn.Module, pictures: np.ndarray, threshold: float = 0.4, batch: int = 32) -> list[Found]:
    """uint8 pictures [N, H, W, 3] -> what is in them."""
    found = []
    for start in range(0, len(pictures), batch):
        part = torch.from_numpy(pictures[start : start + batch]).permute(0, 3, 1, 2).float() / 127.5 - 1
        scores = judge(part)
        heat = scores["kind"].sigmoid()
        peaks = (heat == F.max_pool2d(heat, 3, stride=1, padding=1)) & (heat > threshold)
        for i in range(len(part)):
            found.append(_read_one({key: value[i] for key, value in scores.items()}, peaks[i], heat[i]))
    return found


def _read_one(scores: dict[str, Tensor], peaks: Tensor, heat: Tensor) -> Found:
    objects: dict[str, list[dict]] = {}
    best_at: dict[tuple[int, int], float] = {}
    for kind, y, x in peaks.nonzero().tolist():
        confidence = float(heat[kind, y, x])
        if confidence < best_at.get((y, x), 0.0):
            continue  # another kind claims this centre with more confidence
        best_at[y, x] = confidence
        objects.setdefault(KINDS[kind], []).append(
            {"x": (x + 0.5) * CELL * 128 / (heat.shape[2] * CELL), "colour": scores["colour"][:, y, x], "size": scores["size"][:, y, x]}
        )
    groups = {}
    for kind, members in objects.items():
        middle = sum(member["x"] for member in members) / len(members)
        groups[kind] = {
            "kind": kind,
            "colour": tuple(COLOURS)[int(sum(member["colour"] for member in members).argmax())],
            "size": SIZES[int(sum(member["size"] for member in members).argmax())],
            "count": len(members),
            "side": min(MIDDLE, key=lambda side: abs(MIDDLE[side] - middle)),
        }
    return Found(SKIES[int(scores["sky"].argmax())], GROUNDS[int(scores["ground"].argmax())], groups)


def check(found: Found, facts: dict) -> dict[str, list[bool]]:
    """Every told fact of a picture as right or wrong, by name. A kind that is missing makes its whole group wrong."""
    results: dict[str, list[bool]] = {}
    for name in SCENE_FACTS:
        if name in facts["told"]:
            results.setdefault(name, []).append(getattr(found, name) == facts[name])
    for group in facts["groups"]:
        seen = found.groups.get(group["kind"])
        for name in GROUP_FACTS:
            if name in ("size", "side") and name not in group["told"]:
                continue
            results.setdefault(name, []).append(seen is not None and seen[name] == group[name])
    return results


def score(judge: nn.Module, pictures: np.ndarray, facts: list[dict]) -> dict[str, float]:
    """Share of told facts that are right, over all and by name; `unasked`: share of pictures with another kind in them."""
    right: dict[str, list[bool]] = {}
    unasked = []
    for found, fact in zip(look(judge, pictures), facts):
        for name, values in check(found, fact).items():
            right.setdefault(name, []).extend(values)
        unasked.append(bool(set(found.groups) - {group["kind"] for group in fact["groups"]}))
    everything = [value for values in right.values() for value in values]
    result = {"right": float(np.mean(everything))}
    result.update({name: float(np.mean(right[name])) for name in (*SCENE_FACTS, *GROUP_FACTS) if name in right})
    result["unasked"] = float(np.mean(unasked))
    return result


def load_judge(config: dict) -> nn.Module:
    """The averaged weights of the last checkpoint; where nothing was trained here, the judge that ships."""
    checkpoint = runs_folder() / config["name"] / "checkpoint.pt"
    if not checkpoint.exists():
        return shipped_part("judge.pt")
    judge = Judge(**config["model"])
    judge.load_state_dict(torch.load(checkpoint, weights_only=True)["average"])
    return judge.eval()

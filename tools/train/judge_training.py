"""`scenes-judge`: trains the judge on drawings; `scenes-judge-score`: judges pictures made by anyone."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from train.backdrop import GROUNDS, SKIES
from train.judge import CELL, Judge, load_judge, score
from train.runs import CONFIGS, Run, read_config, training_options
from train.world import COLOURS, KINDS, SIZES, TEST, batches, scene


def damaged(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """What decoders do to drawings, each picture its own share: blur, lost resolution, grain, colour casts."""
    out = []
    for picture in pictures:
        draw = torch.rand(6, generator=generator)
        x = picture[None]
        if draw[0] < 0.35:
            side = 2 if draw[1] < 0.7 else 3
            small = F.interpolate(x, scale_factor=1 / side, mode="area")
            x = F.interpolate(small, size=picture.shape[1:], mode="bilinear", align_corners=False)
        elif draw[0] < 0.7:
            x = x.lerp(F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1), float(draw[1]))
        if draw[2] < 0.5:
            grain = torch.randn(x.shape, generator=generator)
            if draw[3] < 0.5:
                grain = F.interpolate(grain[:, :, ::4, ::4], scale_factor=4)
            x = x + 0.12 * draw[4] * grain
        if draw[5] < 0.5:
            cast = 0.1 * torch.randn(2, 1, 3, 1, 1, generator=generator)
            x = x * (1 + cast[0]) + cast[1]
        out.append(x[0])
    return torch.stack(out).clamp(-1, 1)


def targets(facts: list[dict], cells: int) -> dict[str, Tensor]:
    """Heat per kind (1 at an object's centre, falling off around it), and classes at the centres (-1 elsewhere)."""
    heat = np.zeros((len(facts), len(KINDS), cells, cells), np.float32)
    colour = np.full((len(facts), cells, cells), -1, np.int64)
    size = np.full((len(facts), cells, cells), -1, np.int64)
    rows, columns = np.mgrid[0:cells, 0:cells]
    unit = cells / 128
    for i, fact in enumerate(facts):
        for group in fact["groups"]:
            kind = KINDS.index(group["kind"])
            for x, y, pixels in group["boxes"]:
                cx = min(max(int((x + pixels / 2) * unit), 0), cells - 1)
                cy = min(max(int((y + pixels / 2) * unit), 0), cells - 1)
                bump = np.exp(-((rows - cy) ** 2 + (columns - cx) ** 2) / (2 * 0.7**2))
                heat[i, kind] = np.maximum(heat[i, kind], bump)
                colour[i, cy, cx] = list(COLOURS).index(group["colour"])
                size[i, cy, cx] = SIZES.index(group["size"])
    return {
        "kind": torch.from_numpy(heat), "colour": torch.from_numpy(colour), "size": torch.from_numpy(size),
        "sky": torch.tensor([SKIES.index(fact["sky"]) for fact in facts]),
        "ground": torch.tensor([GROUNDS.index(fact["ground"]) for fact in facts]),
    }  # fmt: skip


def judge_loss(scores: dict[str, Tensor], wanted: dict[str, Tensor]) -> Tensor:
    """Focal loss with a soft margin around the centres for kinds, cross entropy for the rest."""
    heat, target = scores["kind"], wanted["kind"]
    chance = heat.sigmoid()
    centres = target == 1
    hit = (1 - chance) ** 2 * F.logsigmoid(heat)
    miss = (1 - target) ** 4 * chance**2 * F.logsigmoid(-heat)
    loss = -(torch.where(centres, hit, miss).sum() / centres.sum().clamp(min=1))
    for name in ("colour", "size"):
        loss = loss + F.cross_entropy(scores[name], wanted[name], ignore_index=-1)
    for name in ("sky", "ground"):
        loss = loss + 0.5 * F.cross_entropy(scores[name], wanted[name])
    return loss


def held_out_drawings(count: int, first: int = TEST.start) -> tuple[np.ndarray, list[dict]]:
    rows = [scene(seed) for seed in range(first, first + count)]
    return np.stack([row[0] for row in rows]), [row[2] for row in rows]


def train(config: dict) -> None:
    torch.manual_seed(config["seed"])
    judge = Judge(**config["model"]).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=config["learning_rate"], weight_decay=0.01)
    run = Run(config, judge, optimizer)
    data = batches(500_000_000 + run.step * config["batch"], config["batch"])
    generator = torch.Generator().manual_seed(config["seed"] + run.step)
    shown, facts = held_out_drawings(300)
    averaged = Judge(**config["model"]).eval().to(memory_format=torch.channels_last)

    def one_step(_: int):
        pictures, _, drawn = next(data)
        x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
        x = damaged(x, generator).contiguous(memory_format=torch.channels_last)
        loss = judge_loss(judge(x), targets(drawn, x.shape[2] // CELL))
        return loss, {"loss": loss.item()}

    def evaluate() -> dict:
        averaged.load_state_dict(run.average.values)
        return {key: round(value, 4) for key, value in score(averaged, shown, facts).items()}

    run.train(one_step, evaluate, evaluate_every=120)
    print(json.dumps(evaluate()))


def command(arguments: list[str]) -> None:
    """Trains the judge on drawings."""
    parser = argparse.ArgumentParser(prog="train scenes-judge", description=command.__doc__)
    _, config = training_options(parser, arguments, "scenes_judge.json")
    train(config)


def score_command(arguments: list[str]) -> int:
    """Judges a folder of pictures, in the order of their names, against a file of facts (one JSON object a line).

    `--write-facts N` writes captions and facts of N held-out scenes instead: what the pictures should be made from.
    """
    from PIL import Image

    parser = argparse.ArgumentParser(prog="train scenes-judge-score", description=score_command.__doc__)
    parser.add_argument("--config", type=Path, default=CONFIGS / "scenes_judge.json")
    parser.add_argument("--images", type=Path, help="folder of pictures")
    parser.add_argument("--facts", type=Path, required=True)
    parser.add_argument("--write-facts", type=int, metavar="N")
    options = parser.parse_args(arguments)
    if options.write_facts:
        rows = [scene(seed)[1:] for seed in range(TEST.start, TEST.start + options.write_facts)]
        lines = [json.dumps({"prompt": caption, "facts": facts}) + "\n" for caption, facts in rows]
        options.facts.write_text("".join(lines))
        return 0
    if not options.images:
        parser.error("--images is needed")
    files = sorted(path for path in options.images.iterdir() if path.suffix.lower() in (".png", ".jpg", ".webp", ".ppm"))
    facts = [json.loads(line)["facts"] for line in options.facts.read_text().splitlines()]
    if len(files) != len(facts):
        raise SystemExit(f"{options.images}: expected {len(facts)} pictures, found {len(files)}")
    judge = load_judge(read_config(options.config))
    pictures = np.stack([np.asarray(Image.open(path).convert("RGB").resize((128, 128), Image.BOX)) for path in files])
    drawings, drawn_facts = held_out_drawings(len(facts))
    print(json.dumps({"pictures": score(judge, pictures, facts), "drawings": score(judge, drawings, drawn_facts)}, indent=1))
    return 0

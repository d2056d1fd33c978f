"""The scenes world: `scene(seed) -> (picture, caption, facts)`, drawn without limit and judged without a person.

Split, fixed before the first training. Seeds decide: TRAIN and TEST never show a pair of HELD_OUT_PAIRS
(kind, colour), TEST is simply other seeds; every picture of NOVEL shows at least one such pair.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from train.backdrop import GROUNDS, SKIES, backdrop, paste
from train.captions import describe
from train.sprites import sprite

TRAIN = range(0, 1_000_000_000)
TEST = range(1_000_000_000, 2_000_000_000)
NOVEL = range(2_000_000_000, 3_000_000_000)
HELD_OUT_PAIRS = frozenset(
    {
        ("balloon", "green"),
        ("house", "purple"),
        ("tree", "blue"),
        ("car", "pink"),
        ("boat", "orange"),
        ("mushroom", "yellow"),
        ("tent", "white"),
    }
)

COLOURS = {
    "red": (0.88, 0.14, 0.15),
    "orange": (0.97, 0.52, 0.08),
    "yellow": (0.99, 0.84, 0.14),
    "green": (0.16, 0.64, 0.26),
    "blue": (0.14, 0.36, 0.88),
    "purple": (0.52, 0.20, 0.72),
    "pink": (0.98, 0.52, 0.74),
    "white": (0.96, 0.96, 0.97),
}
SKY_KINDS = ("balloon", "kite")
LAND_KINDS = ("house", "tree", "car", "tent", "mushroom", "sheep", "cactus", "parasol")
SEA_KINDS = ("boat", "duck", "lighthouse")
KINDS = SKY_KINDS + LAND_KINDS + SEA_KINDS
SIZES = ("small", "large")
SIDES = ("left", "centre", "right")
PIXELS = {"small": 32, "large": 56}
MIDDLE = {"left": 32, "centre": 64, "right": 96}


def is_held_out(facts: dict) -> bool:
    return any((g["kind"], g["colour"]) in HELD_OUT_PAIRS for g in facts["groups"])


def _choice(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]


def _draw_group(rng: np.random.Generator, place: str, ground: str, side: str | None) -> dict:
    kinds = SKY_KINDS if place == "sky" else SEA_KINDS if ground == "sea" else LAND_KINDS
    size = _choice(rng, SIZES)
    count = _choice(rng, (1, 1, 2) if size == "large" else (1, 2, 2, 3))
    if side:  # half the width is all it may take
        count = 1 if size == "large" else min(count, 2)
    spread = count * PIXELS[size] > 64  # too wide to stand on a side
    told = ["size"] if rng.random() < 0.5 else []
    if not spread and rng.random() < 0.5:
        told.append("side")
    return {
        "kind": _choice(rng, kinds),
        "colour": _choice(rng, tuple(COLOURS)),
        "count": count,
        "size": size,
        "side": side or ("centre" if spread else _choice(rng, SIDES)),
        "place": place,
        "told": told,
    }


def _draw_facts(rng: np.random.Generator) -> dict:
    ground = _choice(rng, GROUNDS)
    layout = rng.random()
    if layout < 0.45:
        groups = [_draw_group(rng, "sky", ground, None), _draw_group(rng, "ground", ground, None)]
    elif layout < 0.70:
        sides = ("left", "right") if rng.random() < 0.5 else ("right", "left")
        groups = [_draw_group(rng, "ground", ground, side) for side in sides]
        if groups[0]["kind"] == groups[1]["kind"]:  # two groups of one kind could not be told apart when counted
            groups = groups[:1]
    else:
        groups = [_draw_group(rng, "sky" if layout > 0.88 else "ground", ground, None)]
    told = [name for name in ("sky", "ground") if rng.random() < 0.9]
    return {"sky": _choice(rng, SKIES), "ground": ground, "told": told, "groups": groups}


@dataclass(frozen=True)
class Thing:
    """An object of a group, upper left corner and size in 128ths of the picture."""

    x: int
    y: int
    pixels: int
    group: dict
    flip: bool


def place_things(facts: dict, rng: np.random.Generator) -> list[Thing]:
    """The objects of all groups, far ones first."""
    things = []
    for group in facts["groups"]:
        pixels, count = PIXELS[group["size"]], group["count"]
        pitch = min(pixels + 8, 126 // count) if count * pixels > 64 else pixels
        left = MIDDLE[group["side"]] + 4 * int(rng.integers(-1, 2)) - (pitch * (count - 1) + pixels) // 2
        left = min(max(left, 0), 128 - (pitch * (count - 1) + pixels)) // 4 * 4
        for k in range(count):
            if group["place"] == "sky":
                y = 4 * int(rng.integers(0, 3) if group["size"] == "large" else rng.integers(0, 8))
            else:
                y = 4 * int(rng.integers(28, 32) if group["size"] == "large" else rng.integers(25, 32)) - pixels
            things.append(Thing(left + pitch * k, y, pixels, group, bool(rng.random() < 0.5)))
    return sorted(things, key=lambda thing: (thing.y + thing.pixels, thing.x))


def _draw_picture(facts: dict, rng: np.random.Generator, size: int) -> np.ndarray:
    unit = size / 128
    canvas = backdrop(facts["sky"], facts["ground"], rng, size)
    things = place_things(facts, rng)
    for thing in things:
        paste(
            canvas,
            sprite(thing.group["kind"], int(thing.pixels * unit), thing.flip),
            int(thing.x * unit),
            int(thing.y * unit),
            np.asarray(COLOURS[thing.group["colour"]], np.float32),
        )
    for group in facts["groups"]:
        # A group's own objects stand in the order in which they were placed: from left to right.
        own = sorted((thing for thing in things if thing.group is group), key=lambda thing: thing.x)
        group["boxes"] = [[thing.x, thing.y, thing.pixels] for thing in own]
    return to_bytes(canvas)


def to_bytes(canvas: np.ndarray) -> np.ndarray:
    return (np.clip(canvas, 0, 1) * 255 + 0.5).astype(np.uint8)


def scene(seed: int, size: int = 128) -> tuple[np.ndarray, str, dict]:
    """The scene of a seed: uint8 [size, size, 3], its caption, its facts.

    facts: sky, ground, told (which of the two the caption says), groups: each with kind, colour, count, size,
    side, place ("sky" or "ground"), told (of size, side), boxes ([x, y, pixels] per object, in 128ths).
    """
    facts, caption, rng = plan(seed)
    return _draw_picture(facts, rng, size), caption, facts


def plan(seed: int) -> tuple[dict, str, np.random.Generator]:
    """What the scene of a seed will show (without boxes), its caption, and the generator that goes on to draw it."""
    rng = np.random.default_rng(seed)
    novel = seed in NOVEL
    facts = _draw_facts(rng)
    while is_held_out(facts) != novel:
        facts = _draw_facts(rng)
    return facts, describe(facts, rng), rng


def batches(start: int, count: int, size: int = 128) -> Iterator[tuple[np.ndarray, list[str], list[dict]]]:
    """Endless batches of consecutive seeds from `start`: pictures [count, size, size, 3], captions, facts."""
    while True:
        rows = [scene(seed, size) for seed in range(start, start + count)]
        yield np.stack([r[0] for r in rows]), [r[1] for r in rows], [r[2] for r in rows]
        start += count


def object_weights(facts: dict, weight: float, size: int = 128) -> np.ndarray:
    """[size, size] loss weights: `weight` inside the objects' boxes, 1 elsewhere."""
    unit = size / 128
    out = np.ones((size, size), np.float32)
    for group in facts["groups"]:
        for x, y, pixels in group["boxes"]:
            out[max(int(y * unit), 0) : int((y + pixels) * unit), max(int(x * unit), 0) : int((x + pixels) * unit)] = (
                weight
            )
    return out


def contact_sheet(pictures: np.ndarray, columns: int, gap: int = 4) -> np.ndarray:
    """[N, H, W, 3] pictures as one picture, row by row."""
    count, height, width, _ = pictures.shape
    rows = -(-count // columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        y, x = gap + i // columns * (height + gap), gap + i % columns * (width + gap)
        sheet[y : y + height, x : x + width] = picture
    return sheet


def sheet_command(arguments: list[str]) -> None:
    """Writes a contact sheet of scenes and prints their captions."""
    from PIL import Image

    parser = argparse.ArgumentParser(prog="train scenes-sheet", description=sheet_command.__doc__)
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--seed", type=int, default=TEST.start)
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--size", type=int, default=128)
    options = parser.parse_args(arguments)
    pictures, captions, _ = next(batches(options.seed, options.count, options.size))
    Image.fromarray(contact_sheet(pictures, options.columns)).save(options.output)
    print("\n".join(captions))

"""The scenes world in motion: `clip(seed) -> (frames, caption, facts)`, frames that start as the scene of a seed.

Everything that moves is a smooth function of one number, how far the clip has come: `seconds * strength`. The
strength is what a motion bucket of 127 calls 1, the seconds are frames over frames per second, so the two numbers
that the denoiser is told say how far each frame has moved. Split by seeds as the scenes: TRAIN, TEST, NOVEL.
"""

from __future__ import annotations

import argparse
import math

import numpy as np

from train.backdrop import CLOUDS, SUN, detail, hill_colour, lay_out, paint_hills, paste_at, plain
from train.sprites import sprite
from train.world import COLOURS, TEST, Thing, contact_sheet, place_things, plan, to_bytes

FRAMES = 14
FPS = (6, 7, 8, 10, 12)
BUCKETS = (32, 255)  # motion_bucket_id; 127 is strength 1
USUAL_BUCKET = 127
# How far, in 128ths of the picture for each pixel that the ground goes, what is farther away follows the camera.
PARALLAX = {"ground": 1.0, "sky": 0.7, "hills": 0.5, "cloud": 0.35, "sun": 0.1, "moon": 0.1, "star": 0.1, "bolt": 0.3}
# Pixels (128ths) at strength 1 in a second, the way they look.
SPEED = {"boat": 14.0, "car": 18.0, "duck": 8.0, "sheep": 7.0}
DRIFT = {"cloud": 10.0, "balloon": 7.0}
PAN, WAVES, RAIN, SNOW = 11.0, 4.0, 26.0, 16.0
NIGHTFALL = 2.0  # after so far day is dusk
FLAKES = 14


def motion_facts(seed: int, scene_facts: dict) -> dict:
    """What moves, how strongly and how finely in time: bucket, fps, wind and pan (-1, 0 or 1), dusk, snowfall."""
    rng = np.random.default_rng([seed, 1])
    sky, ground = scene_facts["sky"], scene_facts["ground"]
    return {
        "bucket": int(rng.integers(BUCKETS[0], BUCKETS[1] + 1)),
        "fps": FPS[int(rng.integers(len(FPS)))],
        "wind": 1 if rng.random() < 0.5 else -1,
        "pan": int(rng.integers(-1, 2)) if rng.random() < 0.4 else 0,
        "dusk": bool(sky == "day" and rng.random() < 0.4),
        "snowfall": bool(ground == "snow" and sky != "storm" and rng.random() < 0.6),
    }


def come(motion: dict, frame: int) -> float:
    """How far a frame has come: seconds at strength 1."""
    return frame / motion["fps"] * motion["bucket"] / USUAL_BUCKET


def motion_words(facts: dict) -> str:
    motion = facts["motion"]
    words = [f"clouds drifting {'right' if motion['wind'] > 0 else 'left'}"]
    if motion["pan"]:
        words.append(f"the camera pans {'right' if motion['pan'] > 0 else 'left'}")
    if motion["dusk"]:
        words.append("day turns to dusk")
    if motion["snowfall"]:
        words.append("snow is falling")
    return ", ".join(words)


def _mixed(a, b, share: float) -> np.ndarray:
    return np.asarray(a, np.float32) * np.float32(1 - share) + np.asarray(b, np.float32) * np.float32(share)


class _Stage:
    """A scene whose things know where they are after any time."""

    def __init__(self, seed: int, size: int):
        self.facts, caption, rng = plan(seed)
        self.size = size
        self.layout = lay_out(self.facts["sky"], self.facts["ground"], rng)
        self.things = place_things(self.facts, rng)
        self.motion = self.facts["motion"] = motion_facts(seed, self.facts)
        self.caption = f"{caption}; {motion_words(self.facts)}"
        flakes = np.random.default_rng([seed, 2])
        self.flakes = flakes.random((FLAKES, 3)) * (136, 136, 2 * math.pi)

    def camera(self, far: str, p: float) -> float:
        return -self.motion["pan"] * PAN * p * PARALLAX[far]

    def colour(self, of, p: float) -> np.ndarray:
        """`of(sky)`, on its way to dusk where that is coming."""
        if not self.motion["dusk"]:
            return np.asarray(of(self.facts["sky"]), np.float32)
        t = min(p / NIGHTFALL, 1.0)
        return _mixed(of("day"), of("dusk"), t * t * (3 - 2 * t))

    def place(self, thing: Thing, p: float) -> tuple[float, float]:
        kind, wind = thing.group["kind"], self.motion["wind"]
        x = thing.x + self.camera(thing.group["place"], p)
        y = float(thing.y)
        if kind in SPEED:
            x += SPEED[kind] * p * (-1 if thing.flip else 1)
        if kind == "balloon":
            x, y = x + DRIFT[kind] * wind * p, y - 2.5 * p
        elif kind == "kite":
            x, y = x + 6 * wind * math.sin(2.2 * p), y + 2 * math.sin(4.4 * p)
        elif kind in ("boat", "duck"):
            y += 1.2 * math.sin(4 * p)
        elif kind == "sheep":
            y -= 1.2 * abs(math.sin(5 * p))
        return x, y

    def draw(self, p: float) -> np.ndarray:
        """The picture after `p`, float32 [size, size, 3]."""
        layout, ground, unit = self.layout, self.facts["ground"], self.size / 128
        across = self.camera("ground", p) + (WAVES * self.motion["wind"] * p if ground == "sea" else 0.0)
        under = lambda sky: plain(sky, ground, layout.horizon, layout.variant, self.size, across, RAIN * p)
        canvas = self.colour(under, p).copy()
        for kind, pixels, x, y, colour in layout.things:
            if kind == "sun":
                y += 6 * p if self.motion["dusk"] else 0
                colour = self.colour(SUN.__getitem__, p)
            elif kind == "cloud":
                x += DRIFT["cloud"] * self.motion["wind"] * p
                colour = self.colour(CLOUDS.__getitem__, p)
            x += self.camera(kind, p)
            paste_at(canvas, detail, kind, int(pixels * unit), False, x * unit, y * unit, colour)
        if layout.hills:
            colour = self.colour(lambda sky: hill_colour(sky, ground), p)
            paint_hills(canvas, colour, layout.horizon, layout.hills, self.camera("hills", p))
        for thing in self.things:
            x, y = self.place(thing, p)
            kind, colour = thing.group["kind"], COLOURS[thing.group["colour"]]
            paste_at(canvas, sprite, kind, int(thing.pixels * unit), thing.flip, x * unit, y * unit, colour)
        if self.motion["snowfall"]:
            for x, y, phase in self.flakes:
                x += self.camera("sky", p) + 3 * self.motion["wind"] * p + 2 * math.sin(phase + 2 * p)
                y += SNOW * p
                paste_at(canvas, detail, "flake", int(8 * unit), False, (x % 136 - 8) * unit, (y % 136 - 8) * unit,
                         (1.0, 1.0, 1.0))  # fmt: skip
        return canvas


def clip(seed: int, frames: int = FRAMES, size: int = 128, first: int = 0) -> tuple[np.ndarray, str, dict]:
    """The clip of a seed, `frames` frames from the `first` on: uint8 [frames, size, size, 3], its caption, and the
    scene's facts with `motion` beside them."""
    stage = _Stage(seed, size)
    numbers = range(first, first + frames)
    drawn = np.stack([to_bytes(stage.draw(come(stage.motion, number))) for number in numbers])
    return drawn, stage.caption, stage.facts


def filmstrips(clips: np.ndarray, every: int = 2) -> np.ndarray:
    """[N, T, H, W, 3] clips as one picture: a clip a row, every so many frames."""
    shown = clips[:, ::every]
    return contact_sheet(shown.reshape(-1, *shown.shape[2:]), shown.shape[1])


def sheet_command(arguments: list[str]) -> None:
    """Writes filmstrips of drawn clips and prints their captions."""
    from PIL import Image

    parser = argparse.ArgumentParser(prog="train motion-sheet", description=sheet_command.__doc__)
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--seed", type=int, default=TEST.start)
    parser.add_argument("--count", type=int, default=8)
    options = parser.parse_args(arguments)
    clips = [clip(seed) for seed in range(options.seed, options.seed + options.count)]
    Image.fromarray(filmstrips(np.stack([frames for frames, _, _ in clips]))).save(options.output)
    print("\n".join(caption for _, caption, _ in clips))

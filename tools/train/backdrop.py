"""Skies and grounds of the scenes world. Everything that repeats lies on the 8-pixel grid of the latents."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from train.sprites import SUPERSAMPLING, Pencil, Sprite

SKIES = ("day", "dusk", "night", "storm")
GROUNDS = ("meadow", "desert", "snow", "sea")
HORIZONS = (72, 80)

# Colour at the zenith and at the horizon; the light that falls on ground and clouds.
SKY_COLOURS = {
    "day": ((0.30, 0.60, 0.92), (0.78, 0.91, 0.98)),
    "dusk": ((0.36, 0.22, 0.48), (0.99, 0.64, 0.38)),
    "night": ((0.04, 0.05, 0.17), (0.15, 0.19, 0.42)),
    "storm": ((0.27, 0.30, 0.36), (0.60, 0.64, 0.68)),
}
LIGHT = {"day": (1.0, 1.0, 1.0), "dusk": (1.0, 0.80, 0.74), "night": (0.44, 0.50, 0.70), "storm": (0.72, 0.76, 0.79)}
# Near the horizon, at the lower edge, texture dark and light, distant hills.
GROUND_COLOURS = {
    "meadow": ((0.60, 0.80, 0.38), (0.33, 0.62, 0.25), (0.24, 0.50, 0.20), (0.52, 0.78, 0.34), (0.38, 0.62, 0.42)),
    "desert": ((0.97, 0.86, 0.60), (0.88, 0.68, 0.38), (0.80, 0.58, 0.30), (0.98, 0.86, 0.58), (0.80, 0.58, 0.42)),
    "snow": ((0.97, 0.98, 1.0), (0.86, 0.91, 0.97), (0.74, 0.83, 0.93), (1.0, 1.0, 1.0), (0.72, 0.80, 0.90)),
    "sea": ((0.36, 0.68, 0.82), (0.10, 0.36, 0.62), (0.08, 0.30, 0.55), (0.62, 0.84, 0.92), (0.36, 0.68, 0.82)),
}


def paste(canvas: np.ndarray, sprite: Sprite, x: int, y: int, colour: np.ndarray) -> None:
    """Composites a sprite with its upper left corner at (x, y), cut at the edges of the canvas."""
    height, width = canvas.shape[:2]
    s = sprite.main.shape[0]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + s, width), min(y + s, height)
    if x0 >= x1 or y0 >= y1:
        return
    inside = (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))
    target = canvas[y0:y1, x0:x1]
    target *= sprite.clear[inside]
    target += sprite.fixed[inside]
    target += sprite.main[inside] * colour


def cloud(p: Pencil):
    puffs = [(0.25, 0.58, 0.16), (0.45, 0.48, 0.21), (0.67, 0.54, 0.18), (0.82, 0.62, 0.12)]
    shape = np.maximum(np.minimum.reduce([p.circle(*c) for c in puffs]), p.v - 0.68)
    p.fill(shape, 1.0, opacity=0.95)
    p.fill(np.maximum(shape + 0.01, 0.60 - p.v), 0.86, opacity=0.95)


def sun(p: Pencil):
    for radius, opacity in ((0.49, 0.14), (0.40, 0.22), (0.31, 1.0)):
        p.fill(p.circle(0.5, 0.5, radius), 1.0, opacity=opacity)


def moon(p: Pencil):
    p.fill(p.circle(0.5, 0.5, 0.46), 0.5, opacity=0.14)
    p.fill(np.maximum(p.circle(0.5, 0.5, 0.34), -p.circle(0.66, 0.42, 0.28)), 1.0)


def bolt(p: Pencil):
    p.fill(p.polygon((0.50, 0.02), (0.66, 0.02), (0.46, 0.52), (0.34, 0.52)), 1.0)
    p.fill(p.polygon((0.44, 0.42), (0.66, 0.42), (0.36, 0.98)), 1.0)


def flake(p: Pencil):
    for radius, opacity in ((0.46, 0.35), (0.34, 0.9)):
        p.fill(p.circle(0.5, 0.5, radius), 1.0, opacity=opacity)


def star(p: Pencil):
    p.fill(
        np.minimum(np.abs(p.u - 0.5) * np.abs(p.v - 0.5) * 12 + p.circle(0.5, 0.5, 0.46), p.circle(0.5, 0.5, 0.17)), 1.0
    )


DETAILS = {f.__name__: f for f in (cloud, sun, moon, bolt, star, flake)}


@functools.cache
def _drawn(kind: str, size: int) -> Pencil:
    pencil = Pencil(size)
    DETAILS[kind](pencil)
    return pencil


@functools.cache
def detail(kind: str, size: int, flip: bool = False, right: int = 0, down: int = 0) -> Sprite:
    """As `train.sprites.sprite`."""
    return _drawn(kind, size).sprite(flip, right, down)


def paste_at(canvas: np.ndarray, draw, kind: str, pixels: int, flip: bool, x: float, y: float, colour) -> None:
    """Pastes what `draw`, `detail` or `sprite`, draws at a place between pixels, to a quarter of one."""
    across, down = (math.floor(place * SUPERSAMPLING + 0.5) for place in (x, y))
    shape = draw(kind, pixels, flip, across % SUPERSAMPLING, down % SUPERSAMPLING)
    paste(canvas, shape, across // SUPERSAMPLING, down // SUPERSAMPLING, np.asarray(colour, np.float32))


def _mix(a, b, t):
    return np.asarray(a, np.float32) + (np.asarray(b, np.float32) - np.asarray(a, np.float32)) * t[..., None]


def _texture(ground: str, x: np.ndarray, y: np.ndarray, variant: int) -> tuple[np.ndarray, np.ndarray]:
    """Masks (dark, light) of the ground's pattern at pixel x and depth y below the horizon."""
    row = np.floor(y / 8)
    px = (x + 8 * (row % 2) + 4 * variant) % 16 - 8
    py = y % 8
    if ground == "meadow":
        blade = lambda cx, lean: np.clip(1.1 - np.abs(px - cx - lean * (7 - py)), 0, 1) * (py > 1.5)
        return np.clip(blade(-3, -0.25) + blade(-2, 0.2), 0, 1) * 0.8, np.clip(
            blade(4, 0.3) + blade(3, -0.2), 0, 1
        ) * 0.7
    if ground == "desert":
        wave = y - 8 * np.sin((x + 32 * variant) * 2 * np.pi / 64) * np.clip(y / 40, 0.2, 1)
        ridge = wave % 16
        return np.clip(2 - np.abs(ridge - 8), 0, 1) * 0.55, np.clip(2.2 - np.abs(ridge - 11), 0, 1) * 0.6
    if ground == "snow":
        drift = np.hypot(((x + 16 * variant) % 64 - 32) / 30, (y % 24 - 16) / 9)
        return np.clip(1 - np.abs(drift - 1) * 6, 0, 1) * (y % 24 < 16) * 0.55, np.clip(
            1.5 - np.hypot(px, py - 4), 0, 1
        ) * 0.9
    crest = py - 4 + 1.6 * np.cos(px * 2 * np.pi / 16)
    return np.clip(1.3 - np.abs(crest - 1.6), 0, 1) * 0.45, np.clip(1.4 - np.abs(crest), 0, 1) * (np.abs(px) < 6) * 0.75


@functools.cache
def _still_plain(sky: str, ground: str, horizon: int, variant: int, size: int) -> np.ndarray:
    return _draw_plain(sky, ground, horizon, variant, size, 0.0, 0.0)


def plain(
    sky: str, ground: str, horizon: int, variant: int, size: int, across: float = 0.0, fall: float = 0.0
) -> np.ndarray:
    """Sky gradient and textured ground, without anything placed on them; the ground `across` pixels (128ths of the
    picture) to the right of where it lies, the rain of a storm `fall` pixels down. Not to be written to."""
    if across or (fall and sky == "storm"):
        return _draw_plain(sky, ground, horizon, variant, size, across, fall)
    return _still_plain(sky, ground, horizon, variant, size)


def _draw_plain(
    sky: str, ground: str, horizon: int, variant: int, size: int, across: float, fall: float
) -> np.ndarray:
    unit = size / 128
    y, x = np.meshgrid((np.arange(size) + 0.5) / unit, (np.arange(size) + 0.5) / unit, indexing="ij")
    picture = _mix(*SKY_COLOURS[sky], np.clip(y / horizon, 0, 1) ** 1.3)
    if sky == "storm":
        rain = np.clip(1.2 - np.abs((x + y * 0.5) % 16 - 8), 0, 1) * (
            ((y - fall + 8 * np.floor((x + y * 0.5) / 16)) % 32) < 12
        )
        picture = _mix(picture, (0.80, 0.85, 0.90), rain * 0.45)
    near, low, dark, light, _ = GROUND_COLOURS[ground]
    depth = np.clip((y - horizon) / (128 - horizon), 0, 1)
    soil = _mix(near, low, depth)
    shade, shine = _texture(ground, x - across, np.maximum(y - horizon, 0), variant)
    strength = 0.35 + 0.65 * depth
    soil = _mix(_mix(soil, dark, shade * strength), light, shine * strength)
    soil *= np.asarray(LIGHT[sky], np.float32)
    return np.where((y > horizon)[..., None], soil, picture).astype(np.float32)


@functools.cache
def _hill_height(profile: int, size: int, moved: float = 0.0) -> np.ndarray:
    x = ((np.arange(size) + 0.5) * 128 / size - moved) * 2 * np.pi / 128
    return (11 + 6 * np.sin(x) + 3 * np.sin(2 * x + 1), 9 + 5 * np.sin(2 * x) + 3 * np.sin(3 * x + 2))[profile].astype(
        np.float32
    )


def hill_colour(sky: str, ground: str) -> np.ndarray:
    colour = np.asarray(GROUND_COLOURS[ground][4], np.float32) * np.asarray(LIGHT[sky], np.float32)
    return 0.7 * colour + 0.3 * np.asarray(SKY_COLOURS[sky][1], np.float32)


def paint_hills(canvas: np.ndarray, colour: np.ndarray, horizon: int, hills: Hills, moved: float = 0.0) -> None:
    """`moved`: pixels (128ths of the picture) to the right of where they were placed."""
    size = canvas.shape[0]
    unit = size / 128
    height = np.roll(_hill_height(hills.profile, size, moved), int(hills.shift * unit)) * unit
    top, foot = int((horizon - 24) * unit), int(horizon * unit)
    rows = foot - (np.arange(top, foot, dtype=np.float32)[:, None] + 0.5)
    mask = np.clip(height - rows + 0.5, 0, 1)[..., None]
    band = canvas[top:foot]
    band += mask * (colour - band)


def _grid(rng: np.random.Generator, low: int, high: int, step: int = 8) -> int:
    return int(rng.integers(low // step, high // step + 1)) * step


SUN = {"day": (1.0, 0.90, 0.40), "dusk": (1.0, 0.84, 0.45)}
CLOUDS = {
    "day": (1.0, 1.0, 1.0),
    "dusk": (0.98, 0.66, 0.62),
    "night": (0.25, 0.29, 0.50),
    "storm": (0.40, 0.42, 0.48),
}


@dataclass(frozen=True)
class Hills:
    profile: int
    shift: int


@dataclass(frozen=True)
class Layout:
    """What a backdrop shows and where, in 128ths of the picture; things: (kind, pixels, x, y, colour), back to front."""

    horizon: int
    variant: int
    things: list[tuple]
    hills: Hills | None


def lay_out(sky: str, ground: str, rng: np.random.Generator) -> Layout:
    horizon = HORIZONS[int(rng.integers(2))]
    variant = int(rng.integers(2))
    things = []
    if sky == "day":
        things.append(("sun", 32, _grid(rng, 0, 96), _grid(rng, 0, 16), SUN["day"]))
    elif sky == "dusk":
        things.append(("sun", 48, _grid(rng, 0, 80), horizon - 32, SUN["dusk"]))
    elif sky == "night":
        for _ in range(int(rng.integers(8, 15))):
            things.append(("star", 8, _grid(rng, 0, 120), _grid(rng, 0, 56), (1.0, 0.96, 0.75)))
        things.append(("moon", 32, _grid(rng, 0, 96), _grid(rng, 0, 16), (0.98, 0.95, 0.80)))
    elif rng.random() < 0.6:
        things.append(("bolt", 40, _grid(rng, 8, 80), _grid(rng, 16, 32), (1.0, 0.95, 0.55)))
    for _ in range(int(rng.integers(2, 4)) if sky == "storm" else int(rng.integers(1, 3))):
        things.append(("cloud", (40, 56)[int(rng.integers(2))], _grid(rng, -16, 104), _grid(rng, -16, 24), CLOUDS[sky]))
    hills = None if ground == "sea" else Hills(int(rng.integers(2)), _grid(rng, 0, 120))
    return Layout(horizon, variant, things, hills)


def backdrop(sky: str, ground: str, rng: np.random.Generator, size: int) -> np.ndarray:
    """A new float32 canvas [size, size, 3] in 0..1 with sky, its lights and clouds, hills and ground."""
    unit = size / 128
    layout = lay_out(sky, ground, rng)
    canvas = plain(sky, ground, layout.horizon, layout.variant, size).copy()
    for kind, pixels, x, y, colour in layout.things:
        paste(canvas, detail(kind, int(pixels * unit)), int(x * unit), int(y * unit), np.asarray(colour, np.float32))
    if layout.hills:
        paint_hills(canvas, hill_colour(sky, ground), layout.horizon, layout.hills)
    return canvas

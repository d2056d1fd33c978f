"""The objects of the scenes world: each drawn once per size from signed distances, then tinted and pasted.

A sprite is linear in its main colour: `rgb = fixed + main * colour`, so one drawing serves all colours.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

SUPERSAMPLING = 4
BROWN, CREAM, DARK, GLASS, WOOD = (
    (0.42, 0.26, 0.15),
    (0.97, 0.91, 0.78),
    (0.17, 0.15, 0.20),
    (0.72, 0.88, 0.96),
    (0.58, 0.38, 0.20),
)


@dataclass(frozen=True)
class Sprite:
    fixed: np.ndarray  # [S, S, 3] premultiplied colour that no tint changes
    main: np.ndarray  # [S, S, 1] share of the main colour
    clear: np.ndarray  # [S, S, 1] share of the background that stays visible

    def flipped(self) -> Sprite:
        return Sprite(self.fixed[:, ::-1], self.main[:, ::-1], self.clear[:, ::-1])


class Pencil:
    """Collects parts on a supersampled square whose coordinates u (right) and v (down) run from 0 to 1."""

    def __init__(self, size: int):
        count = size * SUPERSAMPLING
        axis = (np.arange(count, dtype=np.float32) + 0.5) / count
        self.v, self.u = np.meshgrid(axis, axis, indexing="ij")
        self.pixel = 1.0 / count
        self.size = size
        self.fixed = np.zeros((count, count, 3), np.float32)
        self.main = np.zeros((count, count, 1), np.float32)
        self.alpha = np.zeros((count, count, 1), np.float32)

    def circle(self, cu, cv, ru, rv=None):
        rv = ru if rv is None else rv
        return (np.hypot((self.u - cu) / ru, (self.v - cv) / rv) - 1.0) * min(ru, rv)

    def box(self, u0, v0, u1, v1, corner=0.0):
        du = np.abs(self.u - (u0 + u1) / 2) - (u1 - u0) / 2 + corner
        dv = np.abs(self.v - (v0 + v1) / 2) - (v1 - v0) / 2 + corner
        return np.hypot(np.maximum(du, 0), np.maximum(dv, 0)) + np.minimum(np.maximum(du, dv), 0) - corner

    def line(self, u0, v0, u1, v1, radius):
        du, dv = u1 - u0, v1 - v0
        t = np.clip(((self.u - u0) * du + (self.v - v0) * dv) / (du * du + dv * dv), 0, 1)
        return np.hypot(self.u - u0 - t * du, self.v - v0 - t * dv) - radius

    def polygon(self, *corners):
        """Signed distance of a convex polygon whose corners run clockwise as seen on the picture."""
        distance = np.full_like(self.u, -9.0)
        for (u0, v0), (u1, v1) in zip(corners, corners[1:] + corners[:1]):
            length = np.hypot(u1 - u0, v1 - v0)
            distance = np.maximum(distance, ((self.u - u0) * (v1 - v0) - (self.v - v0) * (u1 - u0)) / length)
        return distance

    def fill(self, distance, main=0.0, fixed=(0.0, 0.0, 0.0), opacity=1.0):
        mask = (np.clip(0.5 - distance / self.pixel, 0, 1) * opacity)[..., None]
        main = np.asarray(main, np.float32)
        main = main[..., None] if main.ndim == 2 else main
        self.fixed += mask * (np.asarray(fixed, np.float32) - self.fixed)
        self.main += mask * (main - self.main)
        self.alpha += mask * (1 - self.alpha)

    def part(self, distance, main=0.0, fixed=(0.0, 0.0, 0.0), outline=0.022):
        """A filled part with a darker rim around it."""
        self.fill(distance - outline, np.max(main) * 0.42, np.asarray(fixed) * 0.42)
        self.fill(distance, main, fixed)

    def shadow(self, cu, ru, cv=0.955, rv=0.04):
        for grow, opacity in ((1.0, 0.10), (0.85, 0.12), (0.65, 0.12)):
            self.fill(self.circle(cu, cv, ru * grow, rv * grow), 0.0, (0, 0, 0), opacity)

    def sprite(self, flip: bool = False, right: int = 0, down: int = 0) -> Sprite:
        """What was drawn; moved by `right` and `down` supersampled pixels, fewer than one pixel, it is one pixel larger."""
        s, size = SUPERSAMPLING, self.size + (1 if right or down else 0)

        def shrink(a):
            a = a[:, ::-1] if flip else a
            if size > self.size:
                a = np.pad(a, ((down, s - down), (right, s - right), (0, 0)))
            return np.ascontiguousarray(a.reshape(size, s, size, s, -1).mean((1, 3)), np.float32)

        return Sprite(shrink(self.fixed * 1.0), shrink(self.main), 1.0 - shrink(self.alpha))


def lit(p: Pencil, centre: float = 0.5, strength: float = 0.45):
    """Light from the upper left: a soft shade over the main colour."""
    return np.clip(1.06 - strength * ((p.u - centre) * 0.8 + (p.v - 0.5) * 0.5), 0.6, 1.12)


def balloon(p: Pencil):
    for x in (-0.09, 0.09):
        p.fill(p.line(0.5 + 2.2 * x, 0.62, 0.5 + x, 0.84, 0.008), 0, BROWN)
    body = np.maximum(p.circle(0.5, 0.37, 0.345), -9)
    cone = p.polygon((0.21, 0.54), (0.79, 0.54), (0.62, 0.74), (0.38, 0.74))
    p.part(np.minimum(body, cone), lit(p))
    gore = np.abs(p.u - 0.5) / np.sqrt(np.clip(1 - ((p.v - 0.40) / 0.40) ** 2, 0.02, 1))
    stripe = np.where(gore < 0.10, gore - 0.10, np.maximum(0.21 - gore, gore - 0.29))
    p.fill(np.maximum(np.minimum(body, cone) + 0.005, stripe), 0.60 * lit(p), (0.36, 0.36, 0.36))
    p.part(p.box(0.395, 0.83, 0.605, 0.965, 0.03), 0, WOOD)
    for v in (0.875, 0.92):
        p.fill(p.box(0.41, v, 0.59, v + 0.012), 0, BROWN)


def kite(p: Pencil):
    previous = (0.36, 0.74)
    for step in range(1, 9):
        point = (0.36 + 0.05 * np.sin(step * 1.5) - 0.012 * step, 0.74 + 0.027 * step)
        p.fill(p.line(*previous, *point, 0.010), 0, DARK)
        if step in (3, 6):
            p.fill(p.circle(*point, 0.042, 0.026), 0.9)
        previous = point
    top, right, bottom, left = (0.68, 0.05), (0.84, 0.44), (0.36, 0.75), (0.20, 0.24)
    mid = (0.546, 0.34)
    p.part(p.polygon(top, right, bottom, left), lit(p))
    p.fill(p.polygon(top, mid, left), 0.55, (0.42, 0.42, 0.42))
    p.fill(p.polygon(mid, right, bottom), 0.70)
    p.fill(np.minimum(p.line(*top, *bottom, 0.009), p.line(*left, *right, 0.009)), 0.35)


def house(p: Pencil):
    p.shadow(0.5, 0.48)
    p.part(p.box(0.68, 0.08, 0.79, 0.40), 0, (0.50, 0.34, 0.30))
    wall = p.box(0.14, 0.44, 0.86, 0.95)
    p.part(wall, lit(p, strength=0.3))
    row = np.floor((p.v - 0.44) / 0.085)
    joint = np.minimum(np.abs((p.v - 0.44) / 0.085 % 1 - 0.5) - 0.42, 9)
    upright = np.abs(((p.u - 0.14) / 0.18 + 0.5 * (row % 2)) % 1 - 0.5) - 0.46
    bricks = np.minimum(-joint * 0.085, -upright * 0.18)
    p.fill(np.maximum(wall + 0.01, bricks), 0.74 * lit(p, strength=0.3))
    p.part(p.polygon((0.5, 0.10), (0.96, 0.46), (0.04, 0.46)), 0, (0.36, 0.27, 0.30))
    for v in (0.26, 0.36):
        p.fill(
            np.maximum(p.polygon((0.5, 0.13), (0.93, 0.45), (0.07, 0.45)), np.abs(p.v - v) - 0.010),
            0,
            (0.46, 0.36, 0.38),
        )
    p.part(p.box(0.43, 0.66, 0.60, 0.95, 0.01), 0, BROWN, 0.014)
    p.fill(p.circle(0.565, 0.81, 0.016), 0, (0.95, 0.80, 0.35))
    for u in (0.21, 0.66):
        p.part(p.box(u, 0.56, u + 0.15, 0.72), 0, (0.99, 0.90, 0.55), 0.020)
        p.fill(
            np.minimum(p.box(u + 0.067, 0.56, u + 0.083, 0.72), p.box(u, 0.632, u + 0.15, 0.648)), 0, (0.42, 0.36, 0.25)
        )


def tree(p: Pencil):
    p.shadow(0.5, 0.30)
    p.part(p.polygon((0.44, 0.55), (0.56, 0.55), (0.60, 0.95), (0.40, 0.95)), 0, BROWN)
    crown = [(0.50, 0.25, 0.21), (0.29, 0.42, 0.20), (0.71, 0.42, 0.20), (0.50, 0.50, 0.22)]
    p.part(np.minimum.reduce([p.circle(*c) for c in crown]), lit(p))
    for u, v, r in crown:
        p.fill(p.circle(u - 0.05, v - 0.06, r * 0.52), 0.80, (0.20, 0.20, 0.20))
    for u, v in ((0.38, 0.30), (0.62, 0.34), (0.30, 0.52), (0.52, 0.60), (0.74, 0.50)):
        p.fill(p.circle(u, v, 0.030), 0.62)


def car(p: Pencil):
    p.shadow(0.5, 0.49)
    p.part(p.polygon((0.30, 0.44), (0.64, 0.44), (0.80, 0.66), (0.18, 0.66)), lit(p))
    p.part(p.box(0.03, 0.62, 0.97, 0.86, 0.07), lit(p, strength=0.3))
    p.fill(p.polygon((0.33, 0.49), (0.46, 0.49), (0.46, 0.64), (0.25, 0.64)), 0, GLASS)
    p.fill(p.polygon((0.50, 0.49), (0.62, 0.49), (0.73, 0.64), (0.50, 0.64)), 0, GLASS)
    p.fill(p.box(0.06, 0.735, 0.94, 0.765), 0.62)
    p.fill(p.circle(0.93, 0.69, 0.035), 0, (1.0, 0.95, 0.60))
    for u in (0.25, 0.75):
        p.part(p.circle(u, 0.85, 0.115), 0, DARK, 0.0)
        p.fill(p.circle(u, 0.85, 0.055), 0, (0.80, 0.80, 0.82))


def tent(p: Pencil):
    p.shadow(0.5, 0.49)
    p.fill(p.line(0.5, 0.08, 0.5, 0.25, 0.012), 0, BROWN)
    p.part(p.polygon((0.51, 0.07), (0.68, 0.13), (0.51, 0.19)), 0.9, outline=0.012)
    shell = p.polygon((0.5, 0.21), (0.96, 0.94), (0.04, 0.94))
    p.part(shell, lit(p))
    slope = np.abs(p.u - 0.5) / np.maximum(p.v - 0.19, 0.02)
    p.fill(np.maximum(shell + 0.01, np.maximum(0.36 - slope, slope - 0.48)), 0.50, (0.46, 0.46, 0.46))
    p.part(p.polygon((0.5, 0.46), (0.64, 0.94), (0.36, 0.94)), 0, DARK, 0.01)
    p.fill(p.polygon((0.5, 0.46), (0.5, 0.94), (0.36, 0.94)), 0.66)


def mushroom(p: Pencil):
    p.shadow(0.5, 0.32)
    p.part(p.polygon((0.40, 0.52), (0.60, 0.52), (0.66, 0.95), (0.34, 0.95)), 0, CREAM)
    p.fill(p.polygon((0.54, 0.56), (0.60, 0.56), (0.655, 0.94), (0.57, 0.94)), 0, (0.85, 0.76, 0.62))
    cap = np.maximum(p.circle(0.5, 0.56, 0.46, 0.44), p.v - 0.60)
    p.part(cap, lit(p))
    for u, v, r in (
        (0.50, 0.26, 0.075),
        (0.27, 0.40, 0.060),
        (0.72, 0.38, 0.065),
        (0.43, 0.48, 0.050),
        (0.60, 0.51, 0.036),
        (0.15, 0.53, 0.034),
        (0.86, 0.53, 0.034),
    ):
        p.fill(np.maximum(p.circle(u, v, r), cap + 0.01), 0, (0.99, 0.98, 0.95))


def sheep(p: Pencil):
    p.shadow(0.48, 0.42)
    for u in (0.28, 0.38, 0.56, 0.66):
        p.fill(p.box(u - 0.03, 0.72, u + 0.03, 0.95, 0.02), 0, DARK)
    puffs = [(0.47 + 0.28 * np.cos(a), 0.58 + 0.17 * np.sin(a), 0.135) for a in np.arange(9) * 2 * np.pi / 9]
    p.part(np.minimum.reduce([p.circle(*c) for c in puffs] + [p.circle(0.47, 0.58, 0.30, 0.2)]), lit(p))
    for u, v in ((0.27, 0.54), (0.42, 0.48), (0.57, 0.55), (0.36, 0.66), (0.52, 0.68)):
        p.fill(np.maximum(np.abs(p.circle(u, v, 0.058)) - 0.011, v - p.v), 0.68)
    p.part(p.circle(0.82, 0.50, 0.115, 0.145), 0, (0.28, 0.25, 0.30), 0.012)
    p.fill(p.circle(0.70, 0.44, 0.065, 0.035), 0, (0.22, 0.20, 0.24))
    p.fill(p.circle(0.79, 0.365, 0.085, 0.055), 1.05)
    p.fill(p.circle(0.85, 0.47, 0.030), 0, (1, 1, 1))
    p.fill(p.circle(0.86, 0.475, 0.015), 0, (0, 0, 0))


def cactus(p: Pencil):
    p.shadow(0.5, 0.30)
    limbs = [
        p.line(0.5, 0.22, 0.5, 0.92, 0.125),
        p.line(0.20, 0.44, 0.20, 0.60, 0.072),
        p.line(0.20, 0.62, 0.45, 0.66, 0.072),
        p.line(0.80, 0.34, 0.80, 0.50, 0.072),
        p.line(0.80, 0.52, 0.55, 0.58, 0.072),
    ]
    p.part(np.maximum(np.minimum.reduce(limbs), p.v - 0.955), lit(p))
    for u in (0.435, 0.50, 0.565):
        p.fill(p.line(u, 0.20, u, 0.90, 0.009), 0.64)
    p.fill(np.minimum(p.line(0.20, 0.44, 0.20, 0.58, 0.009), p.line(0.80, 0.34, 0.80, 0.48, 0.009)), 0.64)
    for a in np.arange(5) * 2 * np.pi / 5:
        p.fill(p.circle(0.5 + 0.045 * np.cos(a), 0.085 + 0.045 * np.sin(a), 0.036), 0, (0.98, 0.62, 0.72))
    p.fill(p.circle(0.5, 0.085, 0.028), 0, (1.0, 0.88, 0.30))


def parasol(p: Pencil):
    p.shadow(0.5, 0.24)
    p.fill(p.box(0.477, 0.40, 0.523, 0.95), 0, WOOD)
    dome = np.maximum(p.circle(0.5, 0.52, 0.47, 0.43), p.v - 0.50)
    for k in range(5):
        dome = np.maximum(dome, -p.circle(0.124 + 0.188 * k, 0.535, 0.094, 0.06))
    p.part(dome, lit(p))
    rib = np.abs(p.u - 0.5) / np.sqrt(np.clip(1 - ((p.v - 0.52) / 0.44) ** 2, 0.01, 1))
    p.fill(np.maximum(dome + 0.008, np.maximum(0.094 - rib, rib - 0.282)), 0.55, (0.42, 0.42, 0.42))
    p.fill(p.circle(0.5, 0.075, 0.028), 0, DARK)


def boat(p: Pencil):
    p.fill(p.circle(0.5, 0.90, 0.46, 0.05), 0, (1, 1, 1), 0.35)
    p.fill(p.box(0.48, 0.06, 0.515, 0.72), 0, BROWN)
    p.part(p.polygon((0.55, 0.12), (0.90, 0.62), (0.55, 0.62)), 0.30, (0.68, 0.68, 0.68), 0.014)
    p.part(p.polygon((0.44, 0.20), (0.44, 0.62), (0.14, 0.62)), 0.30, (0.68, 0.68, 0.68), 0.014)
    hull = p.polygon((0.03, 0.68), (0.97, 0.68), (0.80, 0.91), (0.20, 0.91))
    p.part(hull, lit(p, strength=0.3))
    p.fill(np.maximum(hull + 0.005, np.abs(p.v - 0.735) - 0.018), 0.25, (0.72, 0.72, 0.72))
    for u in (0.32, 0.50, 0.68):
        p.fill(p.circle(u, 0.825, 0.033), 0, DARK)


def duck(p: Pencil):
    p.fill(p.circle(0.48, 0.90, 0.44, 0.05), 0, (1, 1, 1), 0.35)
    p.part(p.polygon((0.80, 0.30), (0.98, 0.36), (0.80, 0.43)), 0, (0.98, 0.56, 0.12), 0.012)
    body = np.minimum(
        np.maximum(p.circle(0.45, 0.66, 0.40, 0.25), p.v - 0.91), p.polygon((0.02, 0.44), (0.30, 0.56), (0.12, 0.72))
    )
    p.part(np.minimum(body, p.circle(0.66, 0.33, 0.20)), lit(p))
    p.fill(p.circle(0.40, 0.66, 0.21, 0.12), 0.70)
    p.fill(p.circle(0.39, 0.645, 0.19, 0.10), 0.84, (0.14, 0.14, 0.14))
    p.fill(p.circle(0.72, 0.28, 0.040), 0, (1, 1, 1))
    p.fill(p.circle(0.73, 0.285, 0.022), 0, (0, 0, 0))


def lighthouse(p: Pencil):
    p.part(
        np.minimum(p.circle(0.36, 0.93, 0.24, 0.10), p.circle(0.63, 0.92, 0.26, 0.13)) + 0 * p.u,
        0,
        (0.46, 0.44, 0.46),
        0.012,
    )
    tower = p.polygon((0.41, 0.27), (0.59, 0.27), (0.67, 0.90), (0.33, 0.90))
    p.part(tower, lit(p))
    band = np.maximum(np.abs((p.v - 0.27) / 0.21 % 1 - 0.75) - 0.25, 0.27 - p.v) * 0.21
    p.fill(np.maximum(tower + 0.005, band), 0.12, (0.86, 0.86, 0.86))
    p.part(p.box(0.37, 0.245, 0.63, 0.285), 0, DARK, 0.008)
    p.part(p.box(0.425, 0.13, 0.575, 0.25), 0, (1.0, 0.92, 0.50), 0.014)
    p.part(p.polygon((0.5, 0.03), (0.62, 0.135), (0.38, 0.135)), 0.9, outline=0.014)
    p.fill(p.box(0.465, 0.74, 0.535, 0.90, 0.01), 0, BROWN)
    p.fill(p.box(0.475, 0.40, 0.525, 0.46), 0, DARK)


PICTURES = {
    f.__name__: f
    for f in (balloon, kite, house, tree, car, tent, mushroom, sheep, cactus, parasol, boat, duck, lighthouse)
}


@functools.cache
def _drawn(kind: str, size: int) -> Pencil:
    pencil = Pencil(size)
    PICTURES[kind](pencil)
    return pencil


@functools.cache
def sprite(kind: str, size: int, flip: bool, right: int = 0, down: int = 0) -> Sprite:
    """`right` and `down`: quarters of a pixel that it is moved by, see `Pencil.sprite`."""
    return _drawn(kind, size).sprite(flip, right, down)

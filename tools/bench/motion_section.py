"""Paper 1's eight frames on the shipped model of clips: quality, time and memory of its full and its light decoder."""

from __future__ import annotations

from collections.abc import Callable

import torch

from bench import costs, pictures, quality
from bench.agreement import require
from bench.document import MISSING, Section, Table
from bench.published import MS_8_FRAMES, Claims, Pair
from bench.quality import Pictures
from bench.settings import Settings, say
from bench.shipped import MOTION, frames_by_pytorch
from bench.spaces import MOTION_SPACE, Space, as_clips, first_of, idle_decoding, stored
from train.motion_samples import HELD_OUT_START
from train.motion_world import clip

FRAMES, SIZE = 8, 128
CLIPS, WITHOUT_HASTE = 4, 8
AT_ONCE = ("--decode-chunk", "0")
COLUMNS = ["decoder", *costs.COLUMNS, *quality.COLUMNS]
TITLE = f"{FRAMES} frames of {SIZE}x{SIZE}: quality, time and memory"


def measured(settings: Settings, space: Space, by_pytorch: Callable[[str, torch.Tensor], torch.Tensor], claims: Claims) -> Table:
    count = CLIPS * (1 if settings.quick else WITHOUT_HASTE)
    frames = (frame for seed in range(count) for frame in clip(HELD_OUT_START + seed, FRAMES, SIZE)[0])
    wanted = Pictures(pictures.write(frames, settings.scratch / "drawn"))
    pictures_latents = space.encode(settings, wanted.folder, settings.scratch / "z.safetensors", "raw")
    latents = as_clips(pictures_latents, FRAMES)
    one = first_of(latents)
    decodings = {}
    for name in space.decoders:
        decodings[name] = space.decoding(settings, name, one, settings.scratch / f"timed-{name}", *AT_ONCE)
        require(
            f"{name} of {space.name}", settings.dtype, decodings[name].pictures(), by_pytorch(name, stored(pictures_latents)[0][:FRAMES])
        )
    found = {}
    for name in space.decoders:
        space.decode(settings, name, latents, settings.scratch / name / "%04d.png", *AT_ONCE)
        found[name] = quality.of_pictures(settings, Pictures(settings.scratch / name), wanted)
    cost = costs.costs_of(settings, decodings, idle_decoding(settings, one, settings.scratch / "idle"))
    light = next(name for name in space.decoders if name != space.full)
    claims.add("ms of 8 frames", MS_8_FRAMES, f"{space.name}, {space.full} → {light}", Pair(cost[space.full].ms, cost[light].ms))
    rows = [[name, *cost[name].cells(cost[space.full]), *found[name].cells()] for name in space.decoders]
    return Table(TITLE, COLUMNS, rows, [*costs.notes(), f"{count} held-out clips, scored frame by frame."])


def section(settings: Settings, claims: Claims) -> Section:
    if not (MOTION / "model.json").is_file():
        why = "models/motion is not there"
        claims.missing("ms of 8 frames", MS_8_FRAMES, "models/motion", why)
        table = Table(TITLE, COLUMNS, [[f"not measured: {why}", *[MISSING] * (len(COLUMNS) - 1)]])
    else:
        say(f"models/motion, {FRAMES} frames")
        table = measured(settings, MOTION_SPACE, frames_by_pytorch, claims)
    return Section("The shipped model of clips", settings.source(), [], [table])

"""Paper 1's architectures at full size with random weights: time and memory, which do not depend on what the weights are."""

from __future__ import annotations

import torch
from safetensors.torch import save_file

from bench import costs
from bench.agreement import require
from bench.cases import CLIP_DECODERS, DECODERS, Case
from bench.contenders import Ours, eager
from bench.costs import Cost
from bench.decoding import Decoding
from bench.document import Bars, Section, Table
from bench.published import LEAST_MEMORY, MS_8_FRAMES, MS_256, SUB_MODULE, Claims, Pair
from bench.settings import Settings, say

CHECKED = (64, 64)  # pixels of the pictures that are compared with PyTorch's
FRAMES = 8
CLIP_SIZE = 256
TURNS = ((256, 0), (CLIP_SIZE, FRAMES), (512, 0), (1024, 0))  # pixels and frames, what matters most first
SHOWN = {
    "kl": "SD 1.5's KL",
    "tae-192": "TAE-192",
    "efficientvit": "EfficientViT",
    "taesd": "TAESD",
    "svd": "SVD",
    "tae-192-temporal": "TAE-192, temporal",
    "taesdv": "TAESDV",
}


def check(settings: Settings, name: str, frames: int) -> None:
    folder = settings.folder(f"check-{name}")
    case = Case(name, CHECKED, frames, folder)
    found = Ours(case, settings.dtype, settings.program, folder).pictures()
    require(SHOWN[name], settings.dtype, found, eager(case, "fp32", settings.program.threads).pictures())


def measure(settings: Settings, names: list[str], size: int, frames: int) -> dict[str, Cost]:
    folder = settings.folder(f"full-{size}-{frames}")
    cases = {name: Case(name, (size, size), frames, folder) for name in names}
    matrix = folder / "matrix.safetensors"
    save_file({"latent_rgb.weight": torch.eye(3, 4)[..., None, None].contiguous(), "latent_rgb.bias": torch.zeros(3)}, matrix)
    idle = Decoding(settings.program, cases[names[0]].latent_file, str(matrix), folder / "idle", ["--kind", "raw", "--scaling-factor", "1"])
    found = costs.costs_of(settings, {name: Ours(case, settings.dtype, settings.program, folder) for name, case in cases.items()}, idle)
    for case in cases.values():
        case.weights.unlink()
    return found


def rows(what: str, cost: dict[str, Cost]) -> list[list[str]]:
    full = next(iter(cost.values()))
    return [[what, SHOWN[name], *one.cells(full)] for name, one in cost.items()]


def claim(claims: Claims, at: dict[int, dict[str, Cost]], clips: dict[str, Cost]) -> None:
    if 256 in at:
        for name in ("tae-192", "efficientvit"):
            full, light = at[256]["kl"], at[256][name]
            claims.add("ms at 256x256", MS_256, f"full size, KL → {SHOWN[name]}", Pair(full.ms, light.ms))
            claims.add("memory at 256x256 (MB, MiB)", LEAST_MEMORY, f"full size, KL → {SHOWN[name]}", Pair(full.mib, light.mib))
    if clips:
        claims.add("ms of 8 frames", MS_8_FRAMES, "full size, SVD → TAE-192, temporal", Pair(clips["svd"].ms, clips["tae-192-temporal"].ms))
    for size, cost in at.items():
        name = min(cost, key=lambda one: cost[one].ms)
        pair = Pair(cost["kl"].ms, cost[name].ms)
        claims.add_ratio(
            "sub-module speed-up", "up to", SUB_MODULE, f"full size, KL → {SHOWN[name]}, {size}x{size}", str(pair), pair.ratio()
        )


def section(settings: Settings, claims: Claims) -> Section:
    left_out = []
    at: dict[int, dict[str, Cost]] = {}
    clips: dict[str, Cost] = {}
    last = 0.0
    for size, frames in TURNS:
        what = f"{frames} frames of {size}x{size}" if frames else f"{size}x{size}"
        grown = (size / 256) ** 2 / 2 * (FRAMES if frames else 1)  # against the first turn, whose start-ups weigh more
        if not settings.budget.allows(grown * last if last else 0):
            left_out.append(f"{what}: left out, the time was up.")
            continue
        names = list(CLIP_DECODERS if frames else DECODERS)
        for name in names if not at or frames else []:
            say(f"full size, {name}: compared with PyTorch")
            check(settings, name, frames)
        say(f"full size, {what}")
        began = settings.budget.now()
        cost = measure(settings, names, size, frames)
        last = last or settings.budget.now() - began
        if frames:
            clips = cost
        else:
            at[size] = cost
    claim(claims, at, clips)
    table = Table(
        "Full size, random weights: time and memory",
        ["what", "decoder", *costs.COLUMNS],
        [row for size, cost in at.items() for row in rows(f"{size}x{size}", cost)]
        + (rows(f"{FRAMES} frames of {CLIP_SIZE}x{CLIP_SIZE}", clips) if clips else []),
        [*costs.notes(), *left_out],
    )
    about = [
        "The networks that the paper compares, at their size, with random weights: time and memory alone. Each one's picture of "
        f"{CHECKED[0]}x{CHECKED[1]} was compared with eager PyTorch's in fp32 before it was timed."
    ]
    charts = [
        Bars(f"Full size, {size}x{size}: {what}", unit, [(SHOWN[name], value(one)) for name, one in cost.items()])
        for size, cost in at.items()
        for what, unit, value in (("time", "ms", lambda one: one.ms), ("memory", "MiB", lambda one: one.mib))
    ]
    return Section("The paper's architectures at full size", settings.source(), about, [table], charts)

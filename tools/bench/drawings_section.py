"""Paper 1's table on the shipped model: quality, time and memory on held-out drawings of 256, 512 and 1024 pixels."""

from __future__ import annotations

from dataclasses import dataclass

from bench import costs, pictures, quality
from bench.agreement import require
from bench.costs import Cost
from bench.document import Bars, Points, Section, Table
from bench.published import FRECHET_256, FRECHET_1024, LEAST_MEMORY, MS_256, SSIM_256, Claims, Pair
from bench.quality import Pictures, Quality
from bench.settings import Settings, say
from bench.shipped import pictures_by_pytorch
from bench.spaces import SCENES_SPACE, first_of, idle_decoding, stored

PICTURES = {256: 16, 512: 4, 1024: 1}  # as many pieces of 256x256 at every size
WITHOUT_HASTE = 16  # times as many
WHO = "models/scenes, vae → {}"
LIGHT = ("vit", "tae")


@dataclass(frozen=True)
class AtSize:
    cost: dict[str, Cost]
    quality: dict[str, Quality]


def measure(settings: Settings, size: int, count: int) -> AtSize:
    folder = settings.folder(f"drawings-{size}")
    wanted = Pictures(pictures.write(pictures.drawings(count, size), folder / "drawn"))
    latents = SCENES_SPACE.encode(settings, wanted.folder, folder / "z.safetensors", "raw")
    one = first_of(latents)
    decodings = {}
    for name in SCENES_SPACE.decoders:
        decodings[name] = SCENES_SPACE.decoding(settings, name, one, folder / f"timed-{name}")
        require(
            f"{name} of models/scenes, {size}x{size}", settings.dtype, decodings[name].pictures(), pictures_by_pytorch(name, stored(one)[0])
        )
    found = {}
    for name in SCENES_SPACE.decoders:
        SCENES_SPACE.decode(settings, name, latents, folder / name / "%04d.png")
        found[name] = quality.of_pictures(settings, Pictures(folder / name), wanted)
    return AtSize(costs.costs_of(settings, decodings, idle_decoding(settings, one, folder / "idle")), found)


def rows(size: int, at: AtSize) -> list[list[str]]:
    full = at.cost[SCENES_SPACE.full]
    return [[str(size), name, *at.cost[name].cells(full), *at.quality[name].cells()] for name in SCENES_SPACE.decoders]


def charts(size: int, at: AtSize) -> list[Bars | Points]:
    measures = [
        ("LPIPS", False, {name: one.lpips for name, one in at.quality.items()}),
        ("SSIM", True, {name: one.ssim for name, one in at.quality.items()}),
    ]
    drawn: list[Bars | Points] = [
        Points(
            f"{size}x{size}: {measure} against time", "ms", measure, more, [(name, at.cost[name].ms, value) for name, value in by.items()]
        )
        for measure, more, by in measures
        if None not in by.values()
    ]
    return [
        *drawn,
        Bars(f"{size}x{size}: time", "ms", [(name, one.ms) for name, one in at.cost.items()]),
        Bars(f"{size}x{size}: memory", "MiB", [(name, one.mib) for name, one in at.cost.items()]),
    ]


def claim(claims: Claims, at: dict[int, AtSize]) -> None:
    full = SCENES_SPACE.full

    def beside(size: int, figure: str, paper: Pair, name: str, value) -> None:
        if size in at:
            claims.add(figure, paper, WHO.format(name), Pair(value(at[size], full), value(at[size], name), paper.cost))

    for name in LIGHT:
        beside(256, "ms at 256x256", MS_256, name, lambda one, who: one.cost[who].ms)
        beside(256, "memory at 256x256 (MB, MiB)", LEAST_MEMORY, name, lambda one, who: one.cost[who].mib)
        beside(256, "SSIM at 256x256", SSIM_256, name, lambda one, who: one.quality[who].ssim)
        beside(256, "Fréchet distance at 256x256", FRECHET_256, name, lambda one, who: one.quality[who].frechet)
        beside(1024, "Fréchet distance at 1024x1024", FRECHET_1024, name, lambda one, who: one.quality[who].frechet)


def section(settings: Settings, claims: Claims) -> Section:
    at: dict[int, AtSize] = {}
    left_out: list[str] = []
    for size in settings.budget.turns(PICTURES, lambda size: f"{size}x{size}", left_out):
        say(f"models/scenes at {size}x{size}")
        at[size] = measure(settings, size, PICTURES[size] * (1 if settings.quick else WITHOUT_HASTE))
    claim(claims, at)
    many = ", ".join(f"{PICTURES[size] * (1 if settings.quick else WITHOUT_HASTE)} of {size}x{size}" for size in at)
    about = [
        f"Held-out drawings ({many}) through the encoder of models/scenes, which was trained on 128x128 alone, and every decoder of its "
        "space. Each decoder's picture was compared with PyTorch's from the same file before it was timed."
    ]
    notes = [
        *costs.notes(),
        "Fréchet: distance of SqueezeNet features (or those of --features) of 256x256 pieces, as many at every size; the "
        "paper's are Inception's on photographs: compare ratios.",
    ]
    table = Table(
        "models/scenes: quality, time and memory",
        ["pixels", "decoder", *costs.COLUMNS, *quality.COLUMNS],
        [row for size, one in at.items() for row in rows(size, one)],
        [*notes, *left_out],
    )
    return Section(
        "The shipped model on held-out drawings",
        settings.source(),
        about,
        [table],
        [chart for size, one in at.items() for chart in charts(size, one)],
    )

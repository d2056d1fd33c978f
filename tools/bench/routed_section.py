"""Paper 2 on pictures: the light share against quality, multiply-adds, parameters and latency, of a real pair and of a routed decoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file

from bench import pair_gate, pictures, quality
from bench.agreement import require
from bench.decoding import Decoding
from bench.document import MISSING, Lines, Section, Table, number, times
from bench.published import LATENCY_SAVED, LIGHT_SHARE, MACS_OF_A_SAMPLE, MEAN_MACS, PARAMETERS_OF_A_SAMPLE, Claims
from bench.quality import Quality
from bench.settings import Settings, say
from bench.spaces import SCENES_SPACE, stored
from bench.timing import timed
from train.routed import from_weights
from train.shipped import SCENES, shipped_autoencoder
from train.world import TRAIN, scene

OF_PAIR, OF_TILES = "Routing whole pictures of a real pair", "The routed decoder"
SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # light
PICTURES, TRAINED_ON, WITHOUT_HASTE = 20, 48, 5
SIZE, TILE = 128, 4  # pixels, latents
FIT_MINUTES = 0.2
LIGHT, HEAVY = "tae", "vae"
COLUMNS = [
    "light share",
    "found",
    *quality.COLUMNS[:3],
    "GMAC a picture",
    "fewer of all heavy",
    "parameters read",
    "ms a picture",
    "latency against all heavy %",
]
OF_CHOICE = ["PSNR by chance", "PSNR of an oracle"]


@dataclass(frozen=True)
class Routed:
    """A decoder with two ways through it."""

    name: str
    sample: str
    """What is routed: picture or tile."""
    spec: Callable[[float], str]
    """Heavy share -> SPEC."""


@dataclass(frozen=True)
class AtShare:
    routing: dict
    quality: Quality
    ms: float


def measure(settings: Settings, routed: Routed, latents: Path, wanted: Path, expected: dict[float, torch.Tensor]) -> dict[float, AtShare]:
    """@param expected the pictures of all heavy (light share 0) and all light (1)."""
    decodings, routing, found = {}, {}, {}
    for share in SHARES:
        folder = settings.scratch / routed.name / f"{share:.1f}"
        spec = f"{routed.spec(round(1 - share, 3))},dtype={settings.dtype}"
        decodings[share] = Decoding(settings.program, latents, spec, folder, ["-m", str(SCENES)])
        routing[share] = decodings[share].run(1)["routing"]
        if share in expected:
            require(f"{routed.name}, light share {share:.0%}", settings.dtype, decodings[share].kept(), expected[share])
        found[share] = quality.Quality(*(quality.near(settings, folder, wanted, []).get(name) for name in ("psnr", "ssim", "lpips")), None)
    say(f"{routed.name}: {len(SHARES)} shares in turn")
    count = stored(latents)[0].shape[0]
    figures = timed({f"{share}": one for share, one in decodings.items()}, settings.clock, settings.rounds)
    return {share: AtShare(routing[share], found[share], min(figures[f"{share}"]) / count) for share in SHARES}


def rows(at: dict[float, AtShare], count: int) -> list[list[str]]:
    heavy = at[0.0]
    return [
        [
            f"{share:.0%}",
            f"{one.routing['light_share']:.0%}",
            *one.quality.cells()[:3],
            number(one.routing["macs"] / count / 1e9),
            times(one.routing["mean_reduction"]),
            str(one.routing["parameters_touched"]),
            number(one.ms),
            number(100 * (one.ms / heavy.ms - 1), "+.1f"),
        ]
        for share, one in at.items()
    ]


def claim(claims: Claims, routed: Routed, at: dict[float, AtShare]) -> None:
    sample, heavy, light = at[LIGHT_SHARE], at[0.0], at[1.0]
    per = light.routing[f"reduction_per_{routed.sample}"]
    claims.add_ratio(f"multiply-adds of a light {routed.sample}", "less by", MACS_OF_A_SAMPLE, routed.name, "", per)
    claims.add_ratio(
        "parameters of the light way", "fewer by", PARAMETERS_OF_A_SAMPLE, routed.name, "", light.routing["parameter_reduction"]
    )
    claims.add_ratio(
        f"multiply-adds at {LIGHT_SHARE:.0%} light, mean",
        "by its own figures",
        MEAN_MACS,
        routed.name,
        "",
        sample.routing["mean_reduction"],
    )
    claims.add_ratio(
        f"latency at {LIGHT_SHARE:.0%} light",
        f"−{100 * LATENCY_SAVED:.1f} %",
        1 / (1 - LATENCY_SAVED),
        routed.name,
        f"{number(heavy.ms)} → {number(sample.ms)} ms",
        heavy.ms / sample.ms,
    )


def charts(routed: Routed, at: dict[float, AtShare]) -> list[Lines]:
    curve = lambda value: [(100 * share, value(one)) for share, one in at.items()]  # noqa: E731
    drawn = [Lines(f"{routed.name}: quality", "light share, %", "PSNR dB", {"PSNR": curve(lambda one: one.quality.psnr)})]
    if all(one.quality.psnr is None for one in at.values()):
        drawn = []
    cost = {
        "multiply-adds": curve(lambda one: 100 * one.routing["macs"] / at[0.0].routing["macs"]),
        "latency": curve(lambda one: 100 * one.ms / at[0.0].ms),
    }
    return [*drawn, Lines(f"{routed.name}: cost", "light share, %", "% of all heavy", cost)]


def encoded(settings: Settings, seeds: range, name: str) -> tuple[Path, Path]:
    """Drawings and their latents."""
    folder = pictures.write((scene(seed, SIZE)[0] for seed in seeds), settings.scratch / name)
    return folder, SCENES_SPACE.encode(settings, folder, settings.scratch / f"{name}.safetensors")


def by(settings: Settings, decoder: str, latents: Path, name: str) -> torch.Tensor:
    """Pictures of one half alone."""
    return SCENES_SPACE.decoding(settings, decoder, latents, settings.scratch / name).pictures()


def as_network(shown: torch.Tensor) -> torch.Tensor:
    """[N, H, W, 3] in [0, 1] to [N, 3, H, W] in [-1, 1]."""
    return 2 * shown.permute(0, 3, 1, 2) - 1


def fitted_gate(settings: Settings) -> Path:
    many = TRAINED_ON * (1 if settings.quick else WITHOUT_HASTE)
    say(f"a gate for {LIGHT} and {HEAVY}: {many} drawings both ways")
    drawn, latents = encoded(settings, range(TRAIN.start, TRAIN.start + many), "training")
    wanted = torch.stack([torch.from_numpy(pictures.read_whole(path)) for path in sorted(drawn.iterdir())]) / 255
    ways = [as_network(shown) for shown in (by(settings, LIGHT, latents, "gate-light"), by(settings, HEAVY, latents, "gate-heavy"), wanted)]
    return pair_gate.fit(stored(latents)[0], *ways, FIT_MINUTES * (1 if settings.quick else WITHOUT_HASTE), settings.scratch)


def chance_and_oracle(light: torch.Tensor, heavy: torch.Tensor, wanted: torch.Tensor) -> list[tuple[float, float]]:
    """Mean PSNR at every share, were the pictures drawn by lot, or chosen by what they gain. @param pictures [N, H, W, 3] in [0, 1]."""
    psnr = lambda made: -10 * torch.log10((made - wanted).square().mean((1, 2, 3)).clamp(min=1e-12))  # noqa: E731
    of_light, of_heavy = psnr(light), psnr(heavy)
    gained = (of_heavy - of_light).sort(descending=True).values
    every = len(gained)
    return [
        (
            float(of_light.mean() * share + of_heavy.mean() * (1 - share)),
            float(of_light.mean() + gained[: round((1 - share) * every)].sum() / every),
        )
        for share in SHARES
    ]


def pair_section(settings: Settings, claims: Claims, gate: Path | None) -> Section:
    count = PICTURES * (1 if settings.quick else WITHOUT_HASTE)
    file = gate or fitted_gate(settings)
    drawn, latents = encoded(settings, range(pictures.HELD_OUT_START, pictures.HELD_OUT_START + count), "drawings")
    routed = Routed(
        f"{LIGHT} and {HEAVY} of models/scenes",
        "picture",
        lambda share: f"routed,light={LIGHT},heavy={HEAVY},gate={file},heavy-share={share}",
    )
    halves = {0.0: by(settings, HEAVY, latents, "heavy"), 1.0: by(settings, LIGHT, latents, "light")}
    at = measure(settings, routed, latents, drawn, halves)
    claim(claims, routed, at)
    wanted = torch.stack([torch.from_numpy(pictures.read_whole(path)) for path in sorted(drawn.iterdir())]) / 255
    others = chance_and_oracle(halves[1.0], halves[0.0], wanted)
    cells = [[*row, number(chance, ".2f"), number(oracle, ".2f")] for row, (chance, oracle) in zip(rows(at, count), others)]
    whose = (
        f"the gate is {gate.name}"
        if gate
        else "the gate was fitted for this table on drawings of the training set, in seconds: a longer fit chooses better"
    )
    about = [
        f"Whole pictures of a real pair take the light or the heavy way; {whose}. {count} held-out drawings of {SIZE}x{SIZE}. All light and "
        "all heavy were compared with each half alone before anything was timed."
    ]
    return Section(
        OF_PAIR,
        settings.source(),
        about,
        [Table(routed.name, [*COLUMNS, *OF_CHOICE], cells)],
        charts(routed, at),
    )


def routed_section(settings: Settings, claims: Claims, file: Path | None) -> Section:
    if not file:
        why = "no routed decoder ships yet: name one with --routed FILE (python -m train scenes-routed)"
        table = Table(OF_TILES, COLUMNS, [[f"not measured: {why}", *[MISSING] * (len(COLUMNS) - 1)]])
        return Section(OF_TILES, settings.source(), [], [table])
    count = PICTURES * (1 if settings.quick else WITHOUT_HASTE)
    drawn, latents = encoded(settings, range(pictures.HELD_OUT_START, pictures.HELD_OUT_START + count), "routed-drawings")
    try:
        model = from_weights(load_file(file), TILE)
    except (OSError, ValueError) as error:
        raise pictures.BadData(f"{file}: a routed decoder expected: {error}") from error
    raw = stored(latents)[0] / shipped_autoencoder()["scaling_factor"]
    with torch.no_grad():
        ways = {share: ((model(raw, 1 - share) + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1) for share in (0.0, 1.0)}
    routed = Routed(file.stem, "tile", lambda share: f"{file},family=routed,tile={TILE},heavy-share={share}")
    at = measure(settings, routed, latents, drawn, ways)
    claim(claims, routed, at)
    about = [
        f"Tiles of {TILE}x{TILE} latents take the light or the heavy branch; {count} held-out drawings of {SIZE}x{SIZE}. All light and all heavy "
        "were compared with PyTorch's before anything was timed."
    ]
    return Section(OF_TILES, settings.source(), about, [Table(routed.name, COLUMNS, rows(at, count))], charts(routed, at))

"""Paper 1's end to end: which share of a picture's making the decoder takes, and what a light one saves."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from bench.document import Lines, Section, Table, number
from bench.program import stage
from bench.published import END_TO_END, Claims
from bench.settings import Settings, say
from train.shipped import SCENES

PROMPT = "two red balloons over a blue house, snowy field, night sky"
STEPS = (1, 4, 8, 20)
QUICK_STEPS = (1, 4, 20)
PICTURES = 4  # of a run, in turn
FULL, LIGHT = "vae", ("vit", "tae")


@dataclass(frozen=True)
class Whole:
    """Milliseconds of a picture: what comes before the decoder, and the decoder."""

    before: float
    decode: dict[str, float]

    def share(self, name: str) -> float:
        return self.decode[name] / (self.before + self.decode[name])

    def saved(self, name: str) -> float:
        return 1 - (self.before + self.decode[name]) / (self.before + self.decode[FULL])


def measure(settings: Settings, steps: int, rounds: int) -> Whole:
    before, decode = [], {name: [] for name in (FULL, *LIGHT)}
    for round_ in range(rounds):
        for name in decode:
            target = settings.folder(f"whole-{steps}-{round_}-{name}") / "%d.png"
            report = settings.program.report(
                "image",
                "-m",
                SCENES,
                "-p",
                PROMPT,
                "--steps",
                str(steps),
                "-b",
                str(PICTURES),
                "--decoder",
                f"{name},dtype={settings.dtype}",
                "-o",
                target,
            )
            before.append((stage(report, "text")["ms"] + stage(report, "denoise")["ms"]) / PICTURES)
            decode[name].append(stage(report, "decode")["ms"] / PICTURES)
    return Whole(statistics.median(before), {name: statistics.median(values) for name, values in decode.items()})


def section(settings: Settings, claims: Claims) -> Section:
    found: dict[int, Whole] = {}
    left_out: list[str] = []
    for steps in settings.budget.turns(QUICK_STEPS if settings.quick else STEPS, lambda steps: f"{steps} steps", left_out):
        say(f"end to end, {steps} steps")
        found[steps] = measure(settings, steps, min(settings.rounds, 3))
    rows = [
        [
            str(steps),
            name,
            number(one.before),
            number(one.decode[FULL]),
            number(100 * one.share(FULL), ".1f"),
            number(one.decode[name]),
            number(100 * one.share(name), ".1f"),
            number(100 * one.saved(name), ".1f"),
            f"up to {100 * END_TO_END:.0f}",
            number(one.saved(name) / END_TO_END, ".2f"),
        ]
        for steps, one in found.items()
        for name in LIGHT
    ]
    for name in LIGHT if found else []:
        best = max(found, key=lambda steps: found[steps].saved(name))
        one = found[best]
        whole = f"{number(one.before + one.decode[FULL])} → {number(one.before + one.decode[name])}"
        claims.add_ratio(
            "end to end, ms",
            f"up to {100 * END_TO_END:.0f} % saved",
            1 / (1 - END_TO_END),
            f"models/scenes, vae → {name}, {best} steps",
            whole,
            1 / (1 - one.saved(name)),
        )
    table = Table(
        "End to end with a light decoder",
        [
            "steps",
            "light decoder",
            "before the decoder, ms",
            "full decoder, ms",
            "its share %",
            "light decoder, ms",
            "its share %",
            "saved %",
            "the paper's %",
            "by the paper's",
        ],
        rows,
        left_out,
    )
    about = [
        f"“{PROMPT}” at 128x128 by models/scenes, {PICTURES} pictures a run, ms of a picture; what loads and writes is left out. "
        "By the clock on the wall, inside one process."
    ]
    curves = {name: [(steps, 100 * one.share(name)) for steps, one in found.items()] for name in (FULL, *LIGHT)}
    charts = [Lines("Share of the decoder in the whole", "steps", "%", curves)] if found else []
    return Section("Decode share end to end", settings.source(), about, [table], charts)

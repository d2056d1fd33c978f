"""Paper 2 on sound: the light share of the codec against quality, multiply-adds, parameters and latency."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch

from bench import random_codec, rounds
from bench.agreement import WrongAnswer
from bench.document import Lines, Section, Table, number, times
from bench.machine import ROOT
from bench.pictures import BadData
from bench.published import LATENCY_SAVED, LIGHT_SHARE, MACS_OF_A_SAMPLE, MEAN_MACS, PARAMETERS_OF_A_SAMPLE, Claims
from bench.routed_section import SHARES
from bench.settings import Settings, say
from train.speech import model_file
from train.speech.gate import both_ways
from train.speech.soundstream import HEAVY
from train.speech.sounds import HELD_OUT_EVERY, RATE, read, speakers

TITLE = "The codec"
SHIPPED = ROOT / "models" / "speech"
SOUNDS, WITHOUT_HASTE = 3, 8
TIMED_SECONDS = 60  # of sound, what there is in turn
LEAST_DB = 30  # against PyTorch's: an index that ties may fall the other way
FIGURES = ("log-mel", "stoi", "si-snr", "segmental-snr")
COLUMNS = [
    "light share",
    "found",
    "log-mel",
    "STOI",
    "SI-SNR dB",
    "segmental SNR dB",
    "MMAC a second",
    "fewer of all heavy",
    "ms a second",
    "latency against all heavy %",
]


def way(light_share: float) -> list[str]:
    """What `codec decode` is told."""
    if light_share in (0, 1):
        return ["--route", "light" if light_share else "heavy"]
    return ["--heavy-share", f"{1 - light_share:.3f}"]


class Codec:
    """The program's codec with a model."""

    def __init__(self, settings: Settings, model: Path) -> None:
        self.settings, self.model = settings, model
        self.streams = settings.folder("streams")

    def encoded(self, sound: Path) -> Path:
        stream = self.streams / f"{sound.stem}.lsc"
        self.settings.program.report("codec", "encode", sound, "-m", self.model, "-o", stream)
        return stream

    def decode(self, stream: Path, light_share: float, target: Path) -> dict:
        return self.settings.program.report("codec", "decode", stream, "-m", self.model, *way(light_share), "-o", target)

    def ms(self, stream: Path, light_share: float) -> float:
        """Of one call: of decoding on the wall, or of the processor, the program's start-up in it."""
        wall = self.decode(stream, light_share, self.settings.scratch / "timed.wav")["ms"]
        return wall if self.settings.clock == "wall" else self.settings.program.processor_ms


@dataclass(frozen=True)
class AtShare:
    routing: dict
    figures: dict[str, float | None]
    ms: float
    """Of a second of sound."""


def write_sound(samples: numpy.ndarray, file: Path) -> Path:
    """@param samples int16 at the codec's rate."""
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.astype("<i2").tobytes())
    return file


def sounds(settings: Settings, folder: Path) -> tuple[list[Path], str]:
    """Copies of recordings of the data, or a drawn sound."""
    given = settings.data / "audio" / "librispeech" if settings.data else None
    recorded = sorted(given.glob("*.flac")) if given and given.is_dir() else []
    if recorded:
        files = speakers(given)[1] if len(recorded) >= HELD_OUT_EVERY else recorded  # of whom the shipped codec has heard nothing
        count = SOUNDS * (1 if settings.quick else WITHOUT_HASTE)
        return [
            write_sound(read(path), folder / f"{path.stem}.wav") for path in files[:count]
        ], f"{min(count, len(files))} recordings of speech"
    draw = numpy.random.default_rng(0)
    loud = numpy.repeat(draw.uniform(0, 6000, 100), RATE // 10)  # ten seconds of bursts of noise
    return [
        write_sound(draw.standard_normal(len(loud)).clip(-3, 3) * loud, folder / "noise.wav")
    ], "ten seconds of noise, since there is no speech"


def by_pytorch(model: Path, sound: Path) -> dict[float, numpy.ndarray] | None:
    """What the heavy and the light decoder make of a sound; None for a model of other shapes, which tools/train does not know."""
    if model.is_dir():
        found = sorted(model.glob("*.safetensors"))
        if len(found) != 1:
            return None
        model = found[0]
    try:
        network = model_file.read(model)
    except model_file.OtherShapes:
        return None
    samples = torch.from_numpy(read(sound).astype(numpy.float32))[None] / 32768
    samples = samples[:, : samples.shape[1] // HEAVY.hop * HEAVY.hop]
    made = both_ways(network.codec, network.light, samples)
    return {0.0: made["heavy"][0].numpy(), 1.0: made["light"][0].numpy()}


def check(light_share: float, wanted: numpy.ndarray, made: Path) -> None:
    """@throws WrongAnswer"""
    found = read(made).astype(numpy.float32)[: len(wanted)] / 32768
    near = 10 * numpy.log10(numpy.square(wanted).sum() / max(numpy.square(found - wanted).sum(), 1e-12))
    if not near >= LEAST_DB:
        raise WrongAnswer(f"codec, light share {light_share:.0%}: wrong answer: {near:.1f} dB, at least {LEAST_DB} wanted")


def qualities(codec: Codec, files: list[Path], originals: Path) -> dict[float, dict[str, float | None]]:
    """Means over all recordings by light share."""
    found = {}
    for share in SHARES:
        folder = codec.settings.folder(f"made-{share}")
        for file in files:
            codec.decode(codec.encoded(file), share, folder / file.name)
        metrics = codec.settings.program.report("metrics", folder, originals)["metrics"]
        found[share] = {name: one["mean"] for name, one in metrics.items()}
    return found


def measure(settings: Settings, model: Path, trained: bool) -> tuple[dict[float, AtShare], str, bool]:
    """By light share; of which sounds, and whether PyTorch could be asked."""
    originals = settings.folder("originals")
    files, what = sounds(settings, originals)
    codec = Codec(settings, model)
    expected = by_pytorch(model, files[0])
    for share, wanted in (expected or {}).items():
        made = settings.scratch / "checked.wav"
        codec.decode(codec.encoded(files[0]), share, made)
        check(share, wanted, made)
    figures = qualities(codec, files, originals) if trained else {share: {} for share in SHARES}
    samples = numpy.resize(numpy.concatenate([read(file) for file in files]), TIMED_SECONDS * RATE)
    stream = codec.encoded(write_sound(samples, settings.scratch / "timed-original.wav"))
    shortest = codec.encoded(write_sound(samples[: HEAVY.hop], settings.scratch / "shortest.wav"))
    start_up = 0.0 if settings.clock == "wall" else min(codec.ms(shortest, 0.0) for _ in range(3))
    say(f"codec: {len(SHARES)} shares in turn")
    routing = {share: codec.decode(stream, share, settings.scratch / "routed.wav")["routing"] for share in SHARES}
    ms = rounds.abba({str(share): lambda share=share: codec.ms(stream, share) for share in SHARES}, settings.rounds)
    found = {share: AtShare(routing[share], figures[share], (min(ms[str(share)]) - start_up) / TIMED_SECONDS) for share in SHARES}
    return found, what, expected is not None


def rows(at: dict[float, AtShare]) -> list[list[str]]:
    heavy = at[0.0].ms
    return [
        [
            f"{share:.0%}",
            f"{one.routing['light_share']:.0%}",
            *(number(one.figures.get(name), ".3f") for name in FIGURES),
            number(one.routing["macs"] / TIMED_SECONDS / 1e6),
            times(one.routing["mean_reduction"]),
            number(one.ms),
            number(100 * (one.ms / heavy - 1), "+.1f"),
        ]
        for share, one in at.items()
    ]


def claim(claims: Claims, who: str, at: dict[float, AtShare]) -> None:
    light, heavy, most = at[1.0].routing, at[0.0], at[LIGHT_SHARE]
    claims.add_ratio(
        "multiply-adds of a light frame",
        "less by",
        MACS_OF_A_SAMPLE,
        who,
        f"{heavy.routing['heavy_macs_per_frame']} → {light['light_macs_per_frame'] + light['gate_macs_per_frame']}",
        light["reduction_per_frame"],
    )
    claims.add_ratio("parameters of the light way", "fewer by", PARAMETERS_OF_A_SAMPLE, who, "", light["parameter_reduction"])
    claims.add_ratio(
        f"multiply-adds at {LIGHT_SHARE:.0%} light, mean",
        "by its own figures",
        MEAN_MACS,
        who,
        f"{most.routing['light_share']:.0%} light",
        most.routing["mean_reduction"],
    )
    claims.add_ratio(
        f"latency at {LIGHT_SHARE:.0%} light",
        f"−{100 * LATENCY_SAVED:.1f} %",
        1 / (1 - LATENCY_SAVED),
        who,
        f"{number(heavy.ms)} → {number(most.ms)} ms a second",
        heavy.ms / most.ms,
    )


def section(settings: Settings, claims: Claims, given: Path | None) -> Section:
    if given and not given.exists():
        raise BadData(f"{given}: a model of the codec expected, found none")
    model = given or (SHIPPED if SHIPPED.is_dir() else None)
    who = model.name if model else "random weights of the shipped shapes"
    say(f"codec: {who}")
    at, what, asked = measure(settings, model or random_codec.write(settings.scratch / "codec.safetensors"), model is not None)
    claim(claims, f"codec, {who}", at)
    about = [
        f"{what[0].upper()}{what[1:]}. A share is that of the heavy decoder's work, its warm-ups included: “found” says how many frames were light. "
        + (
            "All light and all heavy were compared with PyTorch's before anything was timed."
            if asked
            else "The model's shapes are not those of tools/train, so PyTorch was not asked."
        )
    ]
    if not model:
        about.append(
            "models/speech is not there and no model was named with --codec: random weights have multiply-adds, "
            "parameters and latency, and no quality."
        )
    percent = lambda value: [(100 * one.routing["light_share"], value(one)) for one in at.values()]  # noqa: E731
    cost = Lines(
        "Codec: cost",
        "light frames, %",
        "% of all heavy",
        {
            "multiply-adds": percent(lambda one: 100 * one.routing["macs"] / at[0.0].routing["macs"]),
            "latency": percent(lambda one: 100 * one.ms / at[0.0].ms),
        },
    )
    drawn = [cost]
    if model:
        drawn.append(Lines("Codec: distance", "light frames, %", "log-mel", {"log-mel": percent(lambda one: one.figures["log-mel"])}))
    return Section(TITLE, settings.source(), about, [Table(f"Codec, {who}", COLUMNS, rows(at))], drawn)

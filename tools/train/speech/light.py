"""The light decoder, distilled on frozen codes (`python -m train speech-light --sounds DIR`)."""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import torch
from torch import Tensor

from train.muon import Muon
from train.runs import NOTHING, SHIPPED, Run, averaged_weights, half_precision, training_options
from train.shipped import shipped_codec
from train.speech.codec import Codec, held_out
from train.speech.soundstream import HEAVY, LIGHT, Decoder, settle
from train.speech.sounds import Excerpts
from train.speech.spectra import log_mel_distance, mel_loss, si_snr

PAST = 25  # frames that the heavy decoder looks back on


def trained_codec() -> Codec:
    """The averaged codec of the run `speech-codec`."""
    average = averaged_weights("speech-codec")
    stages, entries, _ = average["quantizer.codebooks"].shape
    codec = Codec(stages, entries)
    codec.load_state_dict(average)
    return codec.eval().requires_grad_(False)


def trained_light() -> Decoder:
    light = Decoder(LIGHT)
    light.load_state_dict(averaged_weights("speech-light"))
    return light.eval().requires_grad_(False)


def train(config: dict, sounds: Path, start: Path | None = None) -> tuple[Decoder, Run]:
    torch.manual_seed(config["seed"])
    codec = trained_codec()
    model = Decoder(LIGHT)
    if start:
        model.load_state_dict({name.removeprefix("light."): value for name, value in shipped_codec(start, ("light",)).items()})
    run = Run(config, model, Muon(model.parameters(), lr=config["learning_rate"]), SHIPPED if start else NOTHING)
    excerpts = Excerpts(sounds, config["batch"], (PAST + config["frames"]) * HEAVY.hop, seed=run.step)
    averaged = Decoder(LIGHT).eval()
    heard = held_out(sounds)
    every = codec.quantizer.stages
    with torch.no_grad():
        codes = codec.quantizer.indices(codec.encoder(heard), every)
        features_heard = codec.quantizer.dequantized(codes)
    if run.start == NOTHING and run.step == 0:
        settle(model, features_heard, heard.std().item())
    draw = random.Random(run.step)

    def one_step(step: int) -> tuple[Tensor, dict]:
        x = excerpts()
        with torch.no_grad():
            stages = every if draw.random() < 0.5 else draw.randint(1, every)
            features = codec.quantizer.dequantized(codec.quantizer.indices(codec.embedded(x), stages))
            taught = codec.heard(features)
        begin = PAST * HEAVY.hop
        with half_precision():
            made = model(features).float()
        made, taught, x = made[:, begin:], taught[:, begin:], x[:, begin:]
        mel = mel_loss(made, x).mean()
        # Without this term the waves are of another phase than the heavy decoder's, and a fade between both is a dip.
        wave = ((made - taught).square().mean(1) / taught.square().mean(1).clamp(min=1e-6)).mean()
        loss = mel + config["waveform_weight"] * wave
        return loss, {"loss": loss.item(), "mel": mel.item(), "wave": wave.item()}

    @torch.no_grad()
    def evaluate() -> dict:
        averaged.load_state_dict(run.average.values)
        made = averaged(features_heard)
        scores = {
            "log_mel": round(log_mel_distance(made, heard).mean().item(), 4),
            "si_snr": round(si_snr(made, heard).mean().item(), 2),
        }
        print(scores, flush=True)
        return scores

    run.train(one_step, evaluate)
    averaged.load_state_dict(run.average.values)
    return averaged, run


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train speech-light", description=__doc__)
    parser.add_argument("--sounds", type=Path, required=True, help="recordings at 16 kHz, one file a speaker (flac, wav)")
    parser.add_argument("--start", type=Path, help="shipped model to go on from, for a run without a checkpoint")
    options, config = training_options(parser, arguments, "speech_light.json")
    train(config, options.sounds, options.start)

"""Encoder, quantizer and heavy decoder together (`python -m train speech-codec --sounds DIR`)."""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import torch
from torch import Tensor, nn

from train.muon import Muon
from train.runs import NOTHING, SHIPPED, Run, half_precision, training_options
from train.shipped import shipped_codec
from train.speech.quantizer import ResidualQuantizer
from train.speech.soundstream import HEAVY, Decoder, Encoder, settle
from train.speech.sounds import Excerpts, read, speakers
from train.speech.spectra import log_mel_distance, mel_loss, si_snr


class Codec(nn.Module):
    def __init__(self, stages: int, entries: int):
        super().__init__()
        self.encoder, self.heavy = Encoder(HEAVY), Decoder(HEAVY)
        self.quantizer = ResidualQuantizer(stages, entries, HEAVY.features)

    def forward(self, samples: Tensor, stages: Tensor) -> tuple[Tensor, Tensor]:
        """What the decoder makes of each sample's first `stages`, and the quantizer's error."""
        snapped, off = self.quantizer(self.embedded(samples), stages)
        return self.heard(snapped), off

    def embedded(self, samples: Tensor) -> Tensor:
        with half_precision():
            return self.encoder(samples).float()

    def heard(self, features: Tensor) -> Tensor:
        with half_precision():
            return self.heavy(features).float()

    @torch.no_grad()
    def copies(self, samples: Tensor, stages: int) -> Tensor:
        """Through the code and back, [B, n] of whole frames."""
        indices = self.quantizer.indices(self.encoder(samples), stages)
        return self.heavy(self.quantizer.dequantized(indices))


def waveform_loss(made: Tensor, target: Tensor) -> Tensor:
    """Share of the sound that is missed, 0 for a copy, 1 for silence: [B]."""
    return (made - target).abs().mean(1) / target.abs().mean(1).clamp(min=1e-3)


def held_out(folder: Path, seconds: float = 6) -> Tensor:
    """The beginning of every speaker that was held out, [speakers, n] of whole frames."""
    samples = int(seconds * 50) * HEAVY.hop
    rows = [torch.from_numpy(read(path)[:samples].astype("float32")) / 32768 for path in speakers(folder)[1]]
    return torch.stack([row for row in rows if len(row) == samples])


def train(config: dict, sounds: Path, start: Path | None = None) -> tuple[Codec, Run]:
    torch.manual_seed(config["seed"])
    model = Codec(config["stages"], config["entries"])
    if start:
        model.load_state_dict(model.state_dict() | shipped_codec(start))
        model.quantizer.follow_from_here()
    run = Run(config, model, Muon(model.parameters(), lr=config["learning_rate"]), SHIPPED if start else NOTHING)
    unquantized = config["unquantized_steps"] if run.start == NOTHING else 0
    excerpts = Excerpts(sounds, config["batch"], config["frames"] * HEAVY.hop, seed=run.step)
    if run.start == NOTHING and run.step == 0:
        x = excerpts()
        settle(model.heavy, settle(model.encoder, x, 1.0), x.std().item())
    averaged = Codec(config["stages"], config["entries"]).eval()
    heard = held_out(sounds)
    draw = random.Random(run.step)

    def stages_of_a_batch() -> Tensor:
        """All of them for half of the samples, any number for the others."""
        every = config["stages"]
        return torch.tensor([every if draw.random() < 0.5 else draw.randint(1, every) for _ in range(config["batch"])])

    def one_step(step: int) -> tuple[Tensor, dict]:
        x = excerpts()
        if step == unquantized > 0:  # until then the encoder finds its scale
            with torch.no_grad():
                features = torch.cat([model.encoder(excerpts()) for _ in range(8)])
            model.quantizer.fit(features.transpose(1, 2).flatten(0, 1))
            run.average.values.update((k, v.clone()) for k, v in model.state_dict().items() if "quantizer" in k)
        if step < unquantized:
            features = model.encoder(x)
            made, off = model.heard(features), 1e-3 * features.square().mean()
        else:
            made, off = model(x, stages_of_a_batch())
        mel, wave = mel_loss(made, x).mean(), waveform_loss(made, x).mean()
        loss = mel + config["waveform_weight"] * wave + config["commitment_weight"] * off
        return loss, {"loss": loss.item(), "mel": mel.item(), "wave": wave.item(), "off": off.item()}

    def evaluate() -> dict:
        averaged.load_state_dict(run.average.values)
        scores = {}
        for stages in (4, 8, 16):
            made = averaged.copies(heard, stages)
            scores[f"log_mel_{stages}"] = round(log_mel_distance(made, heard).mean().item(), 4)
            scores[f"si_snr_{stages}"] = round(si_snr(made, heard).mean().item(), 2)
        print(scores, flush=True)
        return scores

    run.train(one_step, evaluate)
    averaged.load_state_dict(run.average.values)
    return averaged, run


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train speech-codec", description=__doc__)
    parser.add_argument("--sounds", type=Path, required=True, help="recordings at 16 kHz, one file a speaker (flac, wav)")
    parser.add_argument("--start", type=Path, help="shipped model to go on from, for a run without a checkpoint")
    options, config = training_options(parser, arguments, "speech_codec.json")
    train(config, options.sounds, options.start)

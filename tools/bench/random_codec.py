"""A codec of the shipped shapes with random weights: multiply-adds, parameters and latency need no other."""

from __future__ import annotations

from pathlib import Path

import torch

from bench.cases import randomise
from train.speech.codec import Codec
from train.speech.gate import Gate
from train.speech.model_file import SpeechModel
from train.speech.model_file import write as write_model
from train.speech.soundstream import HEAVY, LIGHT, Decoder

STAGES, ENTRIES = 16, 256
LOUDNESS = 0.1


@torch.no_grad()
def write(file: Path) -> Path:
    generator = torch.Generator().manual_seed(0)
    model = SpeechModel(Codec(STAGES, ENTRIES), Decoder(LIGHT), Gate())
    parts = model.parts()
    for module in parts.values():
        randomise(module.eval(), generator)
    sound = LOUDNESS * torch.randn(1, 50 * HEAVY.hop, generator=generator)
    last = parts["encoder"].last  # features of order one, and sounds that are not clipped
    scale = 1 / parts["encoder"](sound).std()
    last.weight *= scale
    last.bias *= scale
    features = torch.randn(1, HEAVY.features, 50, generator=generator)
    for name in ("heavy", "light"):
        loud = LOUDNESS / parts[name](features).std()
        parts[name].last.weight *= loud
        parts[name].last.bias *= loud
    books = torch.randn(STAGES, ENTRIES, HEAVY.features, generator=generator)
    model.codec.quantizer.codebooks.copy_(books * 0.6 ** torch.arange(STAGES)[:, None, None])
    write_model(file, model)
    return file

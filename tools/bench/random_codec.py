"""A codec of the shipped shapes with random weights: multiply-adds, parameters and latency need no other."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from bench.cases import randomise
from train.speech.gate import Gate
from train.speech.soundstream import HEAVY, LIGHT, Decoder, Encoder
from train.speech.sounds import RATE

STAGES, ENTRIES = 16, 256
LOUDNESS = 0.1


@torch.no_grad()
def write(file: Path) -> Path:
    generator = torch.Generator().manual_seed(0)
    parts = {"encoder": Encoder(HEAVY), "heavy": Decoder(HEAVY), "light": Decoder(LIGHT), "gate": Gate()}
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
    codebooks = torch.randn(STAGES, ENTRIES, HEAVY.features, generator=generator) * 0.6 ** torch.arange(STAGES)[:, None, None]
    tensors = {f"{part}.{name}": value.contiguous() for part, module in parts.items() for name, value in module.state_dict().items()}
    facts = {"format": "lightswitch.soundstream", "version": "1", "sample_rate": str(RATE)}
    layouts = HEAVY.metadata("encoder") | HEAVY.metadata("heavy") | LIGHT.metadata("light")
    save_file(tensors | {"quantizer.codebooks": codebooks.half()}, file, facts | layouts)
    return file

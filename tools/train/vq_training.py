"""The small VQGAN of the scenes latent space (`python -m train scenes-vq`).

The codebook is fitted to the frozen latents once; then the decoder learns from snapped stored latents, while the encoder
learns to give the latents that the frozen one gives.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from train.autoencoder import copies, picture_loss, psnr, test_pictures, to_network, weights_of
from train.decoder import StoredScenes
from train.decoders_table import HELD_OUT_START, quality
from train.export import half
from train.latents import ready, stored_latents
from train.muon import Muon
from train.runs import NOTHING, Run, half_precision, training_options, write_atomically
from train.vq import VQModel, codebook_use, k_means


def fit_codebook(model: VQModel, pictures: int, iterations: int) -> None:
    """k-means over the latents of the first `pictures` training scenes."""
    latents = torch.from_numpy(stored_latents(ready())[:pictures].astype(np.float32))
    vectors = latents.movedim(1, -1).flatten(0, -2)
    weight = model.quantize.embedding.weight
    weight.data.copy_(k_means(vectors, len(weight), iterations))


@torch.no_grad()
def scores(model: VQModel, pictures: np.ndarray) -> dict:
    """Reconstruction through the model's own encoder, and how much of the codebook these pictures use."""
    indices = torch.cat([model.quantize.indices(model.encode(to_network(part[None]))) for part in pictures])
    entries = len(model.quantize.embedding.weight)
    facts = {"entries": entries, "bits": (entries - 1).bit_length()}
    return quality(copies(model, pictures), pictures, None) | codebook_use(indices, entries) | facts


def train(config: dict) -> tuple[VQModel, Run]:
    torch.manual_seed(config["seed"])
    model = VQModel(**config["model"])
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    run = Run(config, model, Muon(trained, lr=config["learning_rate"]), NOTHING)
    if not run.step:
        fit_codebook(model, config["codebook_pictures"], config["codebook_iterations"])
        run.average.values["quantize.embedding.weight"].copy_(model.quantize.embedding.weight)
    averaged = VQModel(**config["model"]).eval()
    shown, _ = test_pictures(48)
    stored = StoredScenes(config["batch"])

    def one_step(step: int):
        target, facts, z = stored(step)
        with half_precision():
            made = model.decode(z).float()
            found = model.encode(target).float()
        weights = weights_of(facts, config["object_weight"])
        loss = picture_loss(made, target, weights, config["gradient_weight"])
        latent_error = F.mse_loss(found, z)
        mse = F.mse_loss(made.detach(), target).item()
        values = {"loss": loss.item(), "psnr": -10 * np.log10(mse / 4), "latent_error": latent_error.item()}
        return loss + config["latent_weight"] * latent_error, values

    def evaluate() -> dict:
        averaged.load_state_dict(run.average.values)
        return {"test_psnr": float(psnr(copies(averaged, shown), shown).mean())}

    run.train(one_step, evaluate)
    averaged.load_state_dict(run.average.values)
    return averaged, run


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train scenes-vq", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, help="also write a safetensors file, in half precision")
    parser.add_argument("--count", type=int, default=200, help="held-out drawings to score on")
    options, config = training_options(parser, arguments, "scenes_vq.json")
    model, run = train(config)
    written = half(model.state_dict(), "")
    if options.output:
        write_atomically(options.output, lambda part: save_file(written, part, {"format": "pt"}))
    model.load_state_dict(written)  # the scores are those of the file: a rounded codebook may choose other entries
    result = scores(model, test_pictures(options.count, HELD_OUT_START)[0]) | {"count": options.count}
    write_atomically(run.folder / "scores.json", lambda part: part.write_text(json.dumps(result, indent=1) + "\n"))
    print(json.dumps(result))

"""A light decoder for the latent space of a decoder of your own (`python -m train distill`), as arXiv 2503.04871 makes them.

The teacher's encoder turns photographs into latents; the student learns to make both the photographs and the teacher's
pictures from them. The file it writes is one that the `taming` or `vit` family loads.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from train.autoencoder import picture_loss, psnr
from train.decoder import build
from train.decoders_table import fastest, macs, quality, quality_columns
from train.export import half
from train.muon import Muon
from train.photographs import Crops, decoded, encoded, find, given_latents, kept, read
from train.runs import Run, half_precision, runs_folder, training_options, write_atomically
from train.teacher import Teacher, load_teacher

HELD_OUT_EVERY = 10
CURVE_PICTURES = 8
# What a file's keys start with: bare vit files and AutoencoderTiny's decoder both eat latents as the denoiser holds them.
PREFIX = {"taming": "decoder.", "vit": ""}


def student(text: str, presets: dict, latent_channels: int) -> dict:
    """`tae:WIDTH` or `vit:PRESET` as the family and model of a decoder's config."""
    kind, _, size = text.partition(":")
    if kind == "tae" and size.isdecimal() and int(size) > 0:
        return {"family": "taming", "model": {"width": int(size), "latent_channels": latent_channels}}
    if kind != "vit" or size not in presets:
        raise ValueError(f"student: expected tae:WIDTH or vit:{'|'.join(presets)}, found {text}")
    preset = presets[size]
    if preset["width"][-1] % latent_channels:
        raise ValueError(f"student: {text} takes latents whose channels divide {preset['width'][-1]}, found {latent_channels}")
    return {"family": "vit", "model": preset | {"latent_channels": latent_channels}}


def split(pictures: dict[str, Path], held_out: dict[str, Path] | None) -> tuple[dict[str, Path], dict[str, Path]]:
    """Training pictures and those the scores are made on, which are never trained on: every tenth where none are given."""
    if held_out is None:
        held_out = dict(list(pictures.items())[::HELD_OUT_EVERY])
    kept_back = {path.resolve() for path in held_out.values()}
    training = {name: path for name, path in pictures.items() if path.resolve() not in kept_back}
    if not training:
        raise ValueError("no pictures are left to train on")
    return training, held_out


def training_crops(config: dict, teacher: Teacher, paths: dict[str, Path], latents: Path | None) -> Crops:
    """Everything is encoded and decoded by the teacher once; the results stay in the run's folder."""
    folder = runs_folder() / config["name"]
    folder.mkdir(parents=True, exist_ok=True)
    side = None if latents else config["side"]  # given latents belong to whole photographs
    pictures = {name: read(path, side) for name, path in paths.items()}
    names = list(pictures)
    made_from = {"teacher": teacher.digest, "side": str(side), "latents": str(latents)}
    z = (
        given_latents(latents, pictures, teacher.latent_channels)
        if latents
        else kept(folder / "latents.safetensors", names, made_from, lambda n: encoded(teacher.encoder, pictures[n]))
    )
    taught = kept(
        folder / "taught.safetensors", names, made_from, lambda n: torch.from_numpy(decoded(teacher.decoder, z[n]))
    )
    return Crops(pictures, taught, z, config["crop"])


def held_out_pairs(teacher: Teacher, paths: dict[str, Path], latents: Path | None) -> list[tuple[np.ndarray, Tensor]]:
    """Whole photographs and their latents."""
    pictures = {name: read(path) for name, path in paths.items()}
    if latents:
        z = given_latents(latents, pictures, teacher.latent_channels)
        return [(picture, z[name]) for name, picture in pictures.items()]
    return [(picture, encoded(teacher.encoder, picture)) for picture in pictures.values()]


def load_judge(path: Path) -> nn.Module:
    judge = torch.jit.load(path, "cpu").eval()
    for parameter in judge.parameters():  # a loss needs gradients through it, not of it
        parameter.requires_grad = False
    return judge


def refuse_another_run(config: dict) -> None:
    """A checkpoint of this name must be one of the same student and teacher."""
    path = runs_folder() / config["name"] / "config.json"
    earlier = json.loads(path.read_text()) if path.exists() else config
    for key in ("family", "model", "teacher"):
        if earlier.get(key) != config[key]:
            raise ValueError(f"{path}: its {key} is {earlier.get(key)}, this one's {config[key]}: choose another output name")


def train(config: dict, crops: Crops, held_out: list[tuple[np.ndarray, Tensor]], judge: nn.Module | None) -> nn.Module:
    """The averaged student after `minutes`. `held_out`: photographs and latents for the curve; nothing is chosen by them."""
    torch.manual_seed(config["seed"])
    decoder = build(config).to(memory_format=torch.channels_last)
    run = Run(config, decoder, Muon(decoder.parameters(), lr=config["learning_rate"]))
    averaged = build(config).eval()
    everywhere = torch.ones(1, 1, config["crop"], config["crop"])
    share = config["teacher_share"]

    def one_step(_: int):
        photographs, taught, z = crops.batch(config["batch"])
        with half_precision():
            made = decoder(z.contiguous(memory_format=torch.channels_last)).float()
        loss = (1 - share) * picture_loss(made, photographs, everywhere, config["gradient_weight"])
        loss = loss + share * picture_loss(made, taught, everywhere, config["gradient_weight"])
        if judge:
            with half_precision():
                distance = judge(made, photographs).float().mean()
            loss = loss + config["perceptual_weight"] * distance
        mse = F.mse_loss(made.detach(), photographs).item()
        return loss, {"loss": loss.item(), "psnr": -10 * np.log10(mse / 4)}

    def evaluate() -> dict:
        averaged.load_state_dict(run.average.values)
        return {"test_psnr": float(np.mean([psnr(decoded(averaged, z)[None], p[None]) for p, z in held_out]))}

    run.train(one_step, evaluate)
    averaged.load_state_dict(run.average.values)
    return averaged


def write_student(path: Path, decoder: nn.Module, family: str) -> None:
    """In half precision; `decoder` then holds what the file holds, so that its scores are the file's."""
    write_atomically(path, lambda part: save_file(half(decoder.state_dict(), PREFIX[family]), part, {"format": "pt"}))
    decoder.load_state_dict(half(decoder.state_dict(), ""))


def mean_quality(pairs: Iterable[tuple[np.ndarray, np.ndarray]], judge: nn.Module | None) -> dict:
    """Mean over (made, photograph) pairs of any sizes."""
    each = [quality(made[None], photograph[None], judge) for made, photograph in pairs]
    return {key: None if each[0][key] is None else float(np.mean([e[key] for e in each])) for key in each[0]}


def score_table(
    decoders: dict[str, nn.Module], held_out: list[tuple[np.ndarray, Tensor]], judge: nn.Module | None, rounds: int = 3
) -> tuple[str, dict]:
    """Every decoder on the same latents in single precision, and what one 512x512 picture costs."""
    z = torch.zeros(1, held_out[0][1].shape[0], 64, 64).contiguous(memory_format=torch.channels_last)
    lines = [
        f"On {len(held_out)} held-out photographs; GMAC and ms at 512x512, eager PyTorch fp32, threads: "
        f"{torch.get_num_threads()}, best of {rounds}.",
        "",
        "| decoder | PSNR dB | SSIM | LPIPS | parameters | GMAC | ms |",
        "|---|---|---|---|---|---|---|",
    ]
    scores = {}
    for name, decoder in decoders.items():
        row = mean_quality(((decoded(decoder, latents), photograph) for photograph, latents in held_out), judge)
        parameters, work = sum(p.numel() for p in decoder.parameters()), macs(decoder, z) / 1e9
        milliseconds = fastest(decoder, z, rounds)
        scores[name] = row | {"parameters": parameters, "gmac": round(work, 3), "ms": round(milliseconds, 1)}
        lines.append(f"| {name} | {quality_columns(row)} | {parameters:,} | {work:.2f} | {milliseconds:.0f} |")
    return "\n".join(lines) + "\n", scores


def distill(options: argparse.Namespace, config: dict) -> None:
    teacher = load_teacher(options.teacher)
    if teacher.encoder is None and options.latents is None:
        raise ValueError("the teacher's files hold no encoder: name its file too, or give --latents")
    config |= student(options.student, config.pop("vit"), teacher.latent_channels)
    config |= {"name": f"distill-{options.output.stem}", "teacher": teacher.digest}
    refuse_another_run(config)
    judge = load_judge(options.lpips) if options.lpips else None
    training, held_out = split(find(options.images), find(options.score_on) if options.score_on else None)
    crops = training_crops(config, teacher, training, options.latents)
    print(f"{config['name']}: {len(crops.rows)} photographs to train on, {len(held_out)} held out", file=sys.stderr)
    pairs = held_out_pairs(teacher, held_out, options.latents)
    decoder = train(config, crops, pairs[:CURVE_PICTURES], judge)
    write_student(options.output, decoder, config["family"])
    table, scores = score_table({"teacher": teacher.decoder, options.student: decoder}, pairs, judge)
    path = runs_folder() / config["name"] / "scores.json"
    write_atomically(path, lambda part: part.write_text(json.dumps(scores, indent=1) + "\n"))
    print(f"{table}\n{options.output}: {options.output.stat().st_size / 2**20:.2f} MiB, family {config['family']}")


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train distill", description=__doc__)
    parser.add_argument("--teacher", type=Path, nargs="+", required=True, help="weights: one file, or decoder and encoder")
    parser.add_argument("--images", type=Path, required=True, help="folder of photographs, searched with its subfolders")
    parser.add_argument("--student", required=True, help="tae:WIDTH or vit:PRESET (presets stand in the config)")
    parser.add_argument("-o", "--output", type=Path, required=True, help="safetensors file to write; its name is the run's")
    parser.add_argument("--score-on", type=Path, help="folder of the photographs to score on; default: every tenth")
    parser.add_argument("--latents", type=Path, help="safetensors: latents under every picture's name, instead of encoding")
    parser.add_argument("--lpips", type=Path, help="TorchScript judge: a term of the loss, and the LPIPS column")
    try:
        distill(*training_options(parser, arguments, "distill.json"))
    except ValueError as error:
        raise SystemExit(f"distill: {error}") from None

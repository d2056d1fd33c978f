"""`motion-package`: gathers the trained parts of models/motion into a model package, with hashes and its card."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from string import Template

from safetensors.torch import load_file, save_file

from train.export import half
from train.motion_decoder import trained
from train.motion_unet_training import load_motion
from train.motion_world import FRAMES
from train.package import SPACE, check_files, save_half, trained_here, training_table, with_checkpoints
from train.runs import CONFIGS, read_config, runs_folder, write_atomically
from train.shipped import SCENES, shipped_autoencoder
from train.torchscript import ScheduleConfig, file_list, save_script, scripted

TRAINED_ON = "Moving scenes drawn by the project's own generator (tools/train/motion_world.py); no other data."
PICTURE_SIZE = 128  # of what the picture encoder is given; it shrinks it itself
DENOISER, PICTURE_ENCODER, ENCODER = "denoiser.pt", "image_encoder.pt", "vit.safetensors"
DECODERS = {"vae": "full", "tae": "light"}  # name in the package -> of configs/motion_NAME.json
CARD = Path(__file__).parent / "cards" / "motion.md"
HISTORY = CARD.with_suffix(".json")  # see train.package
SCORES = CARD.with_name("motion_scores.json")  # what motion-samples found of the denoiser that ships


def decoder_entry(name: str, config: dict) -> dict:
    return {
        "space": SPACE,
        "file": f"{name}.safetensors",
        "family": config["family"],
        "config": {"norm_num_groups": str(config["model"]["groups"])},
    }


def write_parts(folder: Path, unet: dict, decoders: dict[str, dict]) -> None:
    """The parts that were trained on this machine; the others stay as they ship. The encoder is that of models/scenes."""
    if trained_here(unet):
        model = load_motion(unet)
        save_half(model.unet, folder / DENOISER)
        save_half(model.picture, folder / PICTURE_ENCODER)
    for name, config in decoders.items():
        if trained_here(config):
            weights = half(trained(config).state_dict(), "decoder." if config["family"] == "svd" else "")
            write_atomically(folder / f"{name}.safetensors", lambda p: save_file(weights, p, {"format": "pt"}))
    encoder = {key: value for key, value in load_file(SCENES / ENCODER).items() if key.startswith("encoder.")}
    write_atomically(folder / ENCODER, lambda p: save_file(encoder, p, {"format": "pt"}))
    method = unet["sampling"]["method"]
    save_script(scripted(method, ScheduleConfig(**unet["schedule"])), folder / "schedulers" / f"{method}.pt")


def describe(unet: dict, decoders: dict[str, dict]) -> dict:
    """model.json without its file list."""
    sampling = unet["sampling"]
    return {
        "format": "lightswitch.model",
        "version": 1,
        "name": "motion",
        "kind": "image-to-video",
        "licence": "Apache-2.0",
        "trained_on": TRAINED_ON,
        "latent_spaces": {
            SPACE: {
                "channels": unet["model"]["unet"]["channels"],
                "factor": 8,
                "scaling_factor": shipped_autoencoder()["scaling_factor"],
                "shift_factor": 0.0,
            }
        },
        "parts": {
            "image_encoder": {"file": PICTURE_ENCODER, "outputs": ["encoder_hidden_states"], "size": PICTURE_SIZE},
            "denoiser": {
                "file": DENOISER,
                "inputs": ["sample", "timestep", "encoder_hidden_states", "added_time_ids"],
                "space": SPACE,
                "size_multiple": 2 ** (len(unet["model"]["unet"]["widths"]) - 1),
            },
            "schedulers": {sampling["method"]: {"file": f"schedulers/{sampling['method']}.pt"}},
            "decoders": {name: decoder_entry(name, config) for name, config in decoders.items()},
            "encoders": {"vit": {"space": SPACE, "file": ENCODER, "family": "vit", "config": {}}},
        },
        "defaults": {
            "width": 128,
            "height": 128,
            "video_frames": FRAMES,
            "fps": sampling["fps"],
            "motion_bucket": sampling["motion_bucket"],
            "noise_aug": sampling["noise_aug"],
            "steps": sampling["steps"],
            "min_cfg": sampling["min_cfg"],
            "max_cfg": sampling["max_cfg"],
            "sampling_method": sampling["method"],
            "decoder": "vae",
            "encoder": "vit",
        },
    }


def check_parts(folder: Path, model: dict) -> None:
    check_files(folder, model, {model["parts"][part]["file"] for part in ("denoiser", "image_encoder")})


def scores_table(path: Path) -> str:
    """The scores that `motion-samples --record` leaves."""
    if not path.exists():
        return "Not measured yet."
    scores = json.loads(path.read_text())
    rows = ["| | PSNR dB | PSNR dB, last frame | change (drawn) | Fréchet |", "|---|---|---|---|---|"]
    for name, title in (
        ("generated", "made from the first frame"),
        ("still", "the first frame, standing still"),
        ("copied", "the drawn clip through encoder and `vae` (the ceiling)"),
    ):
        row = scores[name]
        away = "-" if row["frechet"] is None else f"{row['frechet']:.1f}"
        moves = f"{row['change']:.2f} ({row['drawn_change']:.2f})"
        rows.append(f"| {title} | {row['psnr']:.2f} | {row['last_frame_psnr']:.2f} | {moves} | {away} |")
    return f"On {scores['count']} held-out clips.\n\n" + "\n".join(rows)


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train motion-package", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the package's folder")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    unet = read_config(CONFIGS / "motion_unet.json")
    decoders = {name: read_config(CONFIGS / f"motion_{config}.json") for name, config in DECODERS.items()}
    write_parts(options.output, unet, decoders)
    model = describe(unet, decoders)
    model["files"] = file_list(options.output)
    check_parts(options.output, model)
    runs = [*(config["name"] for config in decoders.values()), unet["name"]]
    history = with_checkpoints(json.loads(HISTORY.read_text()) if HISTORY.exists() else {}, runs)
    table = runs_folder() / "motion-export" / "decoders_table.md"
    sampling = unet["sampling"]
    card = Template(CARD.read_text(encoding="utf-8")).substitute(
        trainings=training_table(history, runs),
        scores=scores_table(SCORES),
        decoders=table.read_text().strip() if table.exists() else "Not measured yet.",
        frames=FRAMES, steps=sampling["steps"], max_cfg=sampling["max_cfg"], fps=sampling["fps"],
    )  # fmt: skip
    write_atomically(options.output / "README.md", lambda path: path.write_text(card, encoding="utf-8"))
    write_atomically(options.output / "model.json", lambda path: path.write_text(json.dumps(model, indent=2) + "\n"))
    write_atomically(HISTORY, lambda path: path.write_text(json.dumps(history, indent=2) + "\n"))
    total = sum(entry["bytes"] for entry in model["files"].values())
    print(f"{options.output}: {len(model['files'])} files, {total / 2**20:.1f} MiB")

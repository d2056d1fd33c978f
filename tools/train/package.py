"""`scenes-package`: gathers the trained parts of models/scenes into a model package, with hashes and its card."""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
from pathlib import Path
from string import Template

import torch

from train.judge import load_judge
from train.runs import CONFIGS, read_config, runs_folder, write_atomically
from train.text_encoder import load_encoder
from train.torchscript import SCHEDULERS, ScheduleConfig, local_paths, save_script, scripted
from train.unet_training import load_unet

SPACE = "scenes"
TRAINED_ON = "Scenes drawn by the project's own generator (tools/train/world.py); no other data."
CARD = Path(__file__).parent / "cards" / "scenes.md"


def save_half(module: torch.nn.Module, path: Path) -> None:
    """Scripted, weights in half precision: whoever loads it converts back, so a step costs nothing."""
    save_script(torch.jit.script(copy.deepcopy(module).half().eval()), path)


def write_parts(folder: Path, text: dict, unet: dict, judge: dict) -> None:
    encoder, tokenizer = load_encoder(text)
    tokenizer.save(folder / "tokenizer")
    save_half(encoder, folder / "text_encoder.pt")
    save_half(load_unet(unet), folder / "denoiser.pt")
    save_half(load_judge(judge), folder / "judge.pt")
    for name in SCHEDULERS:
        save_script(scripted(name, ScheduleConfig(**unet["schedule"])), folder / "schedulers" / f"{name}.pt")


def describe(text: dict, unet: dict, decoders: dict) -> dict:
    """model.json without its file list. `decoders` comes from `scenes-export`: latent space, decoders, encoders."""
    sampling = unet["sampling"]
    return {
        "format": "lightswitch.model",
        "version": 1,
        "name": "scenes",
        "kind": "text-to-image",
        "licence": "Apache-2.0",
        "trained_on": TRAINED_ON,
        "latent_spaces": {SPACE: decoders["latent_space"]},
        "parts": {
            "tokenizer": {"folder": "tokenizer", "type": "clip_bpe", "max_length": text["tokenizer"]["max_length"]},
            "text_encoder": {"file": "text_encoder.pt", "outputs": ["encoder_hidden_states"]},
            "denoiser": {
                "file": "denoiser.pt",
                "inputs": ["sample", "timestep", "encoder_hidden_states"],
                "space": SPACE,
                "size_multiple": 2 ** (len(unet["model"]["widths"]) - 1),
            },
            "schedulers": {name: {"file": f"schedulers/{name}.pt"} for name in SCHEDULERS},
            "decoders": {name: {"space": SPACE, **entry} for name, entry in decoders["decoders"].items()},
            "encoders": {name: {"space": SPACE, **entry} for name, entry in decoders["encoders"].items()},
        },
        "defaults": {
            "width": 128,
            "height": 128,
            "steps": sampling["steps"],
            "cfg_scale": sampling["cfg_scale"],
            "sampling_method": sampling["method"],
            "decoder": "vae" if "vae" in decoders["decoders"] else next(iter(decoders["decoders"])),
            "encoder": next(iter(decoders["encoders"])),
            "strength": 0.75,
        },
    }


def file_list(folder: Path) -> dict[str, dict]:
    """Size and SHA-256 of every file of the package but model.json and the card."""
    listed = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in ("model.json", "README.md"):
            content = path.read_bytes()
            listed[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return listed


def check_parts(folder: Path, model: dict) -> None:
    """Every named part is there, nothing unnamed lies beside them, and no archive names a path of this machine."""
    parts = model["parts"]
    named = {parts["text_encoder"]["file"], parts["denoiser"]["file"], "judge.pt", "tokenizer/vocab.json", "tokenizer/merges.txt"}
    for group in ("schedulers", "decoders", "encoders"):
        named.update(entry["file"] for entry in parts[group].values())
    present = set(model["files"])
    if named - present:
        raise SystemExit(f"{folder}: missing {', '.join(sorted(named - present))}")
    if present - named:
        raise SystemExit(f"{folder}: not part of the package: {', '.join(sorted(present - named))}")
    for name in present:
        leaks = local_paths((folder / name).read_bytes()) if name.endswith(".pt") else []
        if leaks:
            raise SystemExit(f"{folder / name}: names local paths: {', '.join(leaks)}")


def training_table(runs: list[str]) -> str:
    """A markdown row for every training that has a checkpoint: steps and hours."""
    rows = ["| training | steps | samples | hours |", "|---|---|---|---|"]
    for name in runs:
        path = runs_folder() / name / "checkpoint.pt"
        if path.exists():
            state = torch.load(path, weights_only=True)
            batch = json.loads((path.parent / "config.json").read_text())["batch"]
            rows.append(f"| `{name}` | {state['step']:,} | {state['step'] * batch:,} | {state['seconds'] / 3600:.2f} |")
    return "\n".join(rows)


def scores_table(path: Path) -> str:
    if not path.exists():
        return "Not measured yet."
    scores = json.loads(path.read_text())
    names = list(scores["drawings"])
    rows = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for title, key, count in (
        ("generated, held-out captions", "pictures", "count"),
        ("real drawings (the judge's ceiling)", "drawings", "count"),
        ("generated, pairs never seen", "novel", "novel_count"),
    ):
        if key in scores:
            shares = " | ".join(f"{100 * scores[key][name]:.1f} %" for name in names)
            rows.append(f"| {title}, {scores[count]} pictures | {shares} |")
    return "\n".join(rows)


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train scenes-package", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the package's folder, decoders already in it")
    parser.add_argument("--keep-parts", action="store_true", help="decoders changed only: leave the other parts as they are")
    options = parser.parse_args(arguments)
    text, unet, judge = (read_config(CONFIGS / f"scenes_{name}.json") for name in ("text", "unet", "judge"))
    exported = runs_folder() / "scenes-export"
    decoders = json.loads((exported / "decoders.json").read_text())
    if not options.keep_parts:
        write_parts(options.output, text, unet, judge)
    model = describe(text, unet, decoders)
    model["files"] = file_list(options.output)
    check_parts(options.output, model)
    table = exported / "decoders_table.md"
    trained = [*decoders.get("runs", []), *(config["name"] for config in (text, judge, unet))]
    card = Template(CARD.read_text(encoding="utf-8")).substitute(
        trainings=training_table(trained),
        scores=scores_table(runs_folder() / unet["name"] / "scores.json"),
        decoders=table.read_text().strip() if table.exists() else "Not measured yet.",
        steps=unet["sampling"]["steps"], method=unet["sampling"]["method"], cfg_scale=unet["sampling"]["cfg_scale"],
    )  # fmt: skip
    write_atomically(options.output / "README.md", lambda path: path.write_text(card, encoding="utf-8"))
    write_atomically(options.output / "model.json", lambda path: path.write_text(json.dumps(model, indent=2) + "\n"))
    total = sum(entry["bytes"] for entry in model["files"].values())
    print(f"{options.output}: {len(model['files'])} files, {total / 2**20:.1f} MiB")

"""`scenes-package`: gathers the trained parts of models/scenes into a model package, with hashes and its card."""

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path
from string import Template

import torch

from train.judge import load_judge
from train.runs import CONFIGS, SHIPPED, read_config, runs_folder, write_atomically
from train.text_encoder import load_encoder
from train.torchscript import ScheduleConfig, file_list, local_paths, save_script, scripted
from train.unet_training import load_unet

SPACE = "scenes"
SAMPLERS = ("ddim", "euler", "euler_a", "dpm++2m", "lcm")  # PNDM cannot start from a signal-to-noise ratio of zero
TRAINED_ON = "Scenes drawn by the project's own generator (tools/train/world.py); no other data."
CARD = Path(__file__).parent / "cards" / "scenes.md"
ROUTED = {"file": "routed.safetensors", "family": "routed", "config": {"tile": "4"}}
ROUTED_SCORES = CARD.with_name("scenes_routed.md")  # the table of bench/routing_curve.py
HISTORY = CARD.with_suffix(".json")  # what every training of the shipped parts took, on whatever machine it ran


def save_half(module: torch.nn.Module, path: Path) -> None:
    """Scripted, weights in half precision: whoever loads it converts back, so a step costs nothing."""
    save_script(torch.jit.script(copy.deepcopy(module).half().eval()), path)


def trained_here(config: dict) -> bool:
    return (runs_folder() / config["name"] / "checkpoint.pt").exists()


def write_parts(folder: Path, text: dict, unet: dict, judge: dict) -> None:
    """The parts that were trained on this machine; the others stay as they ship."""
    if trained_here(text):
        encoder, tokenizer = load_encoder(text)
        tokenizer.save(folder / "tokenizer")
        save_half(encoder, folder / "text_encoder.pt")
    if trained_here(unet):
        save_half(load_unet(unet), folder / "denoiser.pt")
    if trained_here(judge):
        save_half(load_judge(judge), folder / "judge.pt")
    for name in SAMPLERS:
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
            "schedulers": {name: {"file": f"schedulers/{name}.pt"} for name in SAMPLERS},
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


def check_parts(folder: Path, model: dict) -> None:
    """Every named part is there, nothing unnamed lies beside them, and no archive names a path of this machine."""
    parts = model["parts"]
    named = {parts["text_encoder"]["file"], parts["denoiser"]["file"], "judge.pt", "tokenizer/vocab.json", "tokenizer/merges.txt"}
    check_files(folder, model, named)


def check_files(folder: Path, model: dict, named: set[str]) -> None:
    """As `check_parts`; `named`: the files of parts that models of every kind do not have."""
    for group in ("schedulers", "decoders", "encoders"):
        named = named | {entry["file"] for entry in model["parts"][group].values()}
    present = set(model["files"])
    named = named | {name for name in calibrations(model) if name in present}
    if named - present:
        raise SystemExit(f"{folder}: missing {', '.join(sorted(named - present))}")
    if present - named:
        raise SystemExit(f"{folder}: not part of the package: {', '.join(sorted(present - named))}")
    for name in present:
        leaks = local_paths((folder / name).read_bytes()) if name.endswith(".pt") else []
        if leaks:
            raise SystemExit(f"{folder / name}: names local paths: {', '.join(leaks)}")


def calibrations(model: dict) -> set[str]:
    """Where `lightswitch calibrate` puts what it measures of the package's decoders."""
    return {str(Path(entry["file"]).with_suffix(".int8.json")) for entry in model["parts"]["decoders"].values()}


def files_command(arguments: list[str]) -> None:
    """Takes calibrations that were made or renewed into a package's list of files and hashes."""
    parser = argparse.ArgumentParser(prog="train package-files", description=files_command.__doc__)
    parser.add_argument("package", type=Path)
    folder = parser.parse_args(arguments).package
    model = json.loads((folder / "model.json").read_text())
    listed, present = set(model["files"]), file_list(folder)
    if unknown := set(present) - listed - calibrations(model):
        raise SystemExit(f"{folder}: not part of the package: {', '.join(sorted(unknown))}")
    if changed := [name for name in listed - calibrations(model) if present.get(name) != model["files"][name]]:
        raise SystemExit(f"{folder}: missing or changed: {', '.join(sorted(changed))}")
    model["files"] = present
    write_atomically(folder / "model.json", lambda path: path.write_text(json.dumps(model, indent=2) + "\n"))


def with_checkpoints(history: dict, names: list[str]) -> dict:
    """`history`: training -> when it began -> {start, steps, samples, hours}, with what was trained on this machine.

    A training that started from the shipped weights adds to what came before it; any other makes that void.
    """
    history = copy.deepcopy(history)
    for name in names:
        path = runs_folder() / name / "checkpoint.pt"
        if path.exists():
            state = torch.load(path, weights_only=True)
            facts = {"start": state["start"], "steps": state["step"], "samples": state["samples"]}
            earlier = history.get(name, {}) if state["start"] == SHIPPED else {}
            history[name] = {**earlier, state["begun"]: facts | {"hours": round(state["seconds"] / 3600, 2)}}
    return history


def training_table(history: dict, names: list[str]) -> str:
    rows = ["| training | began | from | steps | samples | hours |", "|---|---|---|---|---|---|"]
    for name in names:
        for begun, run in history.get(name, {}).items():
            rows.append(f"| `{name}` | {begun} | {run['start']} | {run['steps']:,} | {run['samples']:,} | {run['hours']:.2f} |")
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


def codebook_table(path: Path) -> str:
    """The scores that `scenes-vq` leaves."""
    scores = json.loads(path.read_text())
    return (
        f"`vq` has a codebook of its own and an encoder for it. On {scores['count']} held-out drawings through both halves, "
        f"from indices: PSNR {scores['psnr']:.2f} dB, SSIM {scores['ssim']:.4f}; {100 * scores['used']:.1f} % of the "
        f"{scores['entries']:,} entries occur, with a perplexity of {scores['perplexity']:,.0f}. "
        f"An index is {scores['bits']} bits for 8x8 pixels."
    )


def routed_section() -> str:
    """Of the card; empty before there are scores."""
    if not ROUTED_SCORES.exists():
        return ""
    about = (
        "`routed` makes every tile of 32x32 pixels by its light or its heavy branch, as its gate says: `--decoder routed,heavy-share=0.3`. "
        "Held-out drawings, by the share of tiles that are heavy; the gate beside an oracle, a rule of energy and chance. `time` and `MACs` "
        "are by those of all tiles heavy. Made by `python bench/routing_curve.py`."
    )
    return f"### The routed decoder\n{about}\n\n{ROUTED_SCORES.read_text().strip()}\n"


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train scenes-package", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the package's folder, decoders already in it")
    options = parser.parse_args(arguments)
    text, unet, judge = (read_config(CONFIGS / f"scenes_{name}.json") for name in ("text", "unet", "judge"))
    exported = runs_folder() / "scenes-export"
    decoders = json.loads((exported / "decoders.json").read_text())
    if (options.output / ROUTED["file"]).exists():
        decoders["decoders"]["routed"] = ROUTED
    write_parts(options.output, text, unet, judge)
    model = describe(text, unet, decoders)
    model["files"] = file_list(options.output)
    check_parts(options.output, model)
    table = exported / "decoders_table.md"
    trained = [*decoders["runs"], "scenes-routed", *(config["name"] for config in (text, judge, unet))]
    history = with_checkpoints(json.loads(HISTORY.read_text()), trained)
    card = Template(CARD.read_text(encoding="utf-8")).substitute(
        trainings=training_table(history, trained),
        scores=scores_table(runs_folder() / unet["name"] / "scores.json"),
        codebook=codebook_table(runs_folder() / "scenes-vq" / "scores.json"),
        routed=routed_section(),
        decoders=table.read_text().strip() if table.exists() else "Not measured yet.",
        steps=unet["sampling"]["steps"], method=unet["sampling"]["method"], cfg_scale=unet["sampling"]["cfg_scale"],
    )  # fmt: skip
    write_atomically(options.output / "README.md", lambda path: path.write_text(card, encoding="utf-8"))
    write_atomically(options.output / "model.json", lambda path: path.write_text(json.dumps(model, indent=2) + "\n"))
    write_atomically(HISTORY, lambda path: path.write_text(json.dumps(history, indent=2) + "\n"))
    total = sum(entry["bytes"] for entry in model["files"].values())
    print(f"{options.output}: {len(model['files'])} files, {total / 2**20:.1f} MiB")

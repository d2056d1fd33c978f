"""`speech-package`: gathers the trained parts of models/speech into one file and its card."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from string import Template

import torch

from train.package import training_table, with_checkpoints
from train.runs import runs_folder, write_atomically
from train.speech import model_file
from train.speech.gate import Gate
from train.speech.light import trained_codec, trained_light
from train.speech.model_file import SpeechModel

CARD = Path(__file__).parents[1] / "cards" / "speech.md"
HISTORY = CARD.with_suffix(".json")  # see train.package
TRAININGS = ["speech-codec", "speech-light"]


def trained_gate() -> Gate:
    path = runs_folder() / "speech-gate" / "gate.pt"
    if not path.exists():
        raise SystemExit(f"{path}: expected what speech-gate leaves, found none")
    gate = Gate()
    gate.load_state_dict(torch.load(path, weights_only=True))
    return gate


def trained_model() -> SpeechModel:
    return SpeechModel(trained_codec(), trained_light(), trained_gate())


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train speech-package", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the package's folder")
    parser.add_argument("--scores", type=Path, help="curve.md of bench/codec_curve.py, for the card; without it the model is packed")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    file = options.output / model_file.NAME
    if not options.scores:
        model_file.write(file, trained_model())
    history = with_checkpoints(json.loads(HISTORY.read_text()), TRAININGS)
    card = Template(CARD.read_text(encoding="utf-8")).substitute(
        trainings=training_table(history, TRAININGS),
        scores=options.scores.read_text().strip() if options.scores else "Not measured yet.",
    )
    write_atomically(options.output / "README.md", lambda path: path.write_text(card, encoding="utf-8"))
    write_atomically(HISTORY, lambda path: path.write_text(json.dumps(history, indent=2) + "\n"))
    print(f"{file}: {file.stat().st_size / 2**20:.2f} MiB")

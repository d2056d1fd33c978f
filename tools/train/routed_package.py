"""`routed-package`: puts the trained routed decoder, or its scores, into a package that stands; all else stays as it ships."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from safetensors.torch import save_file

from train.export import half
from train.package import HISTORY, ROUTED, ROUTED_SCORES, SPACE, check_parts, routed_section, training_table, with_checkpoints
from train.routed import RoutedDecoder
from train.runs import CONFIGS, averaged_weights, read_config, write_atomically
from train.torchscript import file_list

RUN = "scenes-routed"


def write_weights(file: Path) -> None:
    network = RoutedDecoder(**read_config(CONFIGS / "scenes_routed.json")["model"])
    network.load_state_dict(averaged_weights(RUN))
    write_atomically(file, lambda path: save_file(half(network.state_dict(), ""), path, {"format": "pt"}))


def renewed(card: str, history: dict) -> str:
    """The card with today's table of trainings and section of the routed decoder."""
    card = re.sub(r"\n### The routed decoder\n.*?(?=\n##)", "", card, flags=re.DOTALL)
    card = card.replace("\n## What it cannot do", f"\n{routed_section()}\n## What it cannot do", 1)
    table = re.search(r"\| training \|.*?\n\n", card, flags=re.DOTALL)
    return card.replace(table[0], training_table(history, list(history)) + "\n\n", 1)


def command(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="train routed-package", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the package's folder, as models/scenes")
    parser.add_argument("--scores", type=Path, help="curve.md of bench/routing_curve.py, for the card; without it the weights are packed")
    options = parser.parse_args(arguments)
    folder = options.output
    model = json.loads((folder / "model.json").read_text())
    history = json.loads(HISTORY.read_text())
    if options.scores:
        write_atomically(ROUTED_SCORES, lambda path: path.write_text(options.scores.read_text().strip() + "\n"))
    else:
        write_weights(folder / ROUTED["file"])
        model["parts"]["decoders"]["routed"] = {"space": SPACE, **ROUTED}
        history = with_checkpoints(history, [RUN])
    model["files"] = file_list(folder)
    check_parts(folder, model)
    card = renewed((folder / "README.md").read_text(encoding="utf-8"), history)
    write_atomically(folder / "README.md", lambda path: path.write_text(card, encoding="utf-8"))
    write_atomically(folder / "model.json", lambda path: path.write_text(json.dumps(model, indent=2) + "\n"))
    write_atomically(HISTORY, lambda path: path.write_text(json.dumps(history, indent=2) + "\n"))
    print(f"{folder}: {sum(entry['bytes'] for entry in model['files'].values()) / 2**20:.1f} MiB")

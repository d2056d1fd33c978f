"""`python -m lightswitch_export schedulers -o DIR`: writes the schedulers of a model package."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from .archive import save_script
from .noise_schedule import ScheduleConfig
from .schedulers import SCHEDULERS, scripted


def write_schedulers(folder: Path, config: ScheduleConfig, overrides: dict[str, dict[str, object]]) -> list[Path]:
    """One file a scheduler; `overrides` holds the fields in which a scheduler differs from the common schedule."""
    written = []
    for name in SCHEDULERS:
        path = folder / f"{name}.pt"
        save_script(scripted(name, dataclasses.replace(config, **overrides.get(name, {}))), path)
        written.append(path)
    return written


def _schedulers(arguments: argparse.Namespace) -> None:
    config = ScheduleConfig()
    if arguments.config:
        config = ScheduleConfig.from_diffusers(json.loads(arguments.config.read_text()))
    for path in write_schedulers(arguments.output, config, {}):
        print(f"{path}  {path.stat().st_size} bytes")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lightswitch_export", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    schedulers = commands.add_parser("schedulers", help="write the TorchScript schedulers")
    schedulers.add_argument("--config", type=Path, help="diffusers' scheduler_config.json; default: Stable Diffusion's")
    schedulers.add_argument("-o", "--output", type=Path, required=True, help="folder to write into")
    schedulers.set_defaults(run=_schedulers)
    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m lightswitch_export.scheduler_files -o DIR`: every scheduler as a file, without a model."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .archive import save_script
from .noise_schedule import ScheduleConfig
from .schedulers import SCHEDULERS, scripted


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lightswitch_export.scheduler_files", description=__doc__)
    parser.add_argument("--config", type=Path, help="diffusers' scheduler_config.json; default: Stable Diffusion's")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write into")
    arguments = parser.parse_args()
    try:
        config = ScheduleConfig()
        if arguments.config:
            config = ScheduleConfig.from_diffusers(json.loads(arguments.config.read_text()))
        for name in SCHEDULERS:
            path = arguments.output / f"{name}.pt"
            save_script(scripted(name, config), path)
            print(f"{path}  {path.stat().st_size} bytes")
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

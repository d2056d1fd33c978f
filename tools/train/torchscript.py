"""The exporter's parts that the trainings use: `tools/export` is a package of its own, beside this one."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "export"))

from lightswitch_export.archive import local_paths, save_script  # noqa: E402
from lightswitch_export.noise_schedule import ScheduleConfig, alphas_cumprod  # noqa: E402
from lightswitch_export.package import file_list  # noqa: E402
from lightswitch_export.schedulers import scripted  # noqa: E402

__all__ = ["ScheduleConfig", "alphas_cumprod", "file_list", "local_paths", "save_script", "scripted"]

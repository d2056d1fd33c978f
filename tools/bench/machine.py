"""What a run says about where it ran."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def facts() -> dict[str, object]:
    flags = Path("/proc/cpuinfo").read_text()
    wide = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_int8") if f" {name} " in flags]
    return {"processor": processor(), "instructions": wide, "cores": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0]}

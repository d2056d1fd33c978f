"""What a run says about where it ran."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path

from bench import CORES

ROOT = Path(__file__).resolve().parents[2]


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def commit() -> str:
    """Of the source tree, and whether it was changed since."""
    git = lambda *words: subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True)  # noqa: E731
    try:
        head = git("rev-parse", "--short", "HEAD")
        if head.returncode:
            return "unknown"
        return head.stdout.strip() + (" and changes" if git("status", "--porcelain").stdout.strip() else "")
    except OSError:  # no git
        return "unknown"


def instructions() -> list[str]:
    """Those that matter to the arithmetic here."""
    flags = Path("/proc/cpuinfo").read_text()
    return [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_int8") if f" {name} " in flags]


def facts() -> dict[str, object]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": processor(),
        "instructions": instructions(),
        "cores": len(CORES),
        "memory_gib": round(memory),
        "load": round(os.getloadavg()[0], 2),
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d %H:%M"),
    }


def described(facts: dict) -> str:
    """One line. A run of an older version knows less."""
    parts = [facts["processor"], f"cores: {facts['cores']}", ", ".join(facts["instructions"])]
    parts += [f"{facts['memory_gib']} GiB"] if "memory_gib" in facts else []
    parts += [f"load at the start: {facts['load']:.1f}", f"commit {facts.get('commit', 'unknown')}", facts.get("date", "")]
    return "; ".join(part for part in parts if part)


def command_line() -> str:
    """This very command, as it can be typed again from tools/."""
    return "`python -m bench " + shlex.join(sys.argv[1:]) + "`"

"""Saves TorchScript modules without traces of the machine that made them.

`torch.jit.save` stores the source path of every traced line in `*.debug_pkl` members and may quote paths in `code/`.
A shipped file must hold neither, and two runs must give the same bytes.
"""

from __future__ import annotations

import io
import os
import re
import tempfile
import zipfile
from pathlib import Path

import torch

# PyTorch maps tensor data straight from the file, which needs members to start at multiples of this.
_ALIGNMENT = 64
_EPOCH = (1980, 1, 1, 0, 0, 0)
_ABSOLUTE_PATH = re.compile(rb"(?<![\w.<])/(?:home|root|usr|opt|tmp|work|mnt|srv|var|Users|private|build)/[\w.+/-]*")


def save_script(module: torch.jit.ScriptModule, path: Path) -> None:
    """Writes `module` to `path` atomically, after checking that nothing local is left in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # On disk and member by member: a denoiser of some gigabytes is in memory once already.
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        written, clean = Path(folder) / "archive.pt", Path(folder) / path.name
        torch.jit.save(module, str(written))
        _rewrite(written, clean, path.stem)
        leaks = local_paths(clean)
        if leaks:
            raise ValueError(f"{path}: the archive still names local paths: {', '.join(leaks)}")
        os.replace(clean, path)


def local_paths(archive: bytes | Path) -> list[str]:
    """Absolute paths named in an archive's code and metadata; weights are skipped, where any bytes may occur."""
    found: set[str] = set()
    with zipfile.ZipFile(io.BytesIO(archive) if isinstance(archive, bytes) else archive) as members:
        for name in members.namelist():
            if name.endswith(".debug_pkl"):
                found.add(name)
            elif "/data/" not in name and "/constants/" not in name:
                found.update(match.decode() for match in _ABSOLUTE_PATH.findall(members.read(name)))
    return sorted(found)


def _rewrite(source: Path, target: Path, stem: str) -> None:
    """The same archive under a root folder called `stem`, without debug members and with a fixed date."""
    with zipfile.ZipFile(source) as old, target.open("wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            if name.endswith(".debug_pkl"):
                continue
            member = zipfile.ZipInfo("/".join([stem, *name.split("/")[1:]]), _EPOCH)
            data_start = file.tell() + 30 + len(member.filename.encode())
            # An extra field of an unassigned id, whose only content is the padding to the alignment.
            padding = -(data_start + 4) % _ALIGNMENT
            member.extra = b"FB" + padding.to_bytes(2, "little") + b"Z" * padding
            new.writestr(member, old.read(name))

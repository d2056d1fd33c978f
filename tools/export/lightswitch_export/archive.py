"""Saves TorchScript modules without traces of the machine that made them.

`torch.jit.save` stores the source path of every traced line in `*.debug_pkl` members and may quote paths in `code/`.
A shipped file must hold neither, and two runs must give the same bytes.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from pathlib import Path

import torch

# PyTorch maps tensor data straight from the file, which needs members to start at multiples of this.
_ALIGNMENT = 64
_EPOCH = (1980, 1, 1, 0, 0, 0)
_ABSOLUTE_PATH = re.compile(rb"(?<![\w.<])/(?:home|root|usr|opt|tmp|work|mnt|srv|var|Users|private|build)/[\w.+/-]*")


def save_script(module: torch.jit.ScriptModule, path: Path) -> None:
    """Writes `module` to `path` atomically, after checking that nothing local is left in it."""
    buffer = io.BytesIO()
    torch.jit.save(module, buffer)
    content = _rewritten(buffer.getvalue(), path.stem)
    leaks = local_paths(content)
    if leaks:
        raise ValueError(f"{path}: the archive still names local paths: {', '.join(leaks)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def local_paths(content: bytes) -> list[str]:
    """Absolute paths named in an archive's code and metadata; weights are skipped, where any bytes may occur."""
    found: set[str] = set()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if name.endswith(".debug_pkl"):
                found.add(name)
            elif "/data/" not in name and "/constants/" not in name:
                found.update(match.decode() for match in _ABSOLUTE_PATH.findall(archive.read(name)))
    return sorted(found)


def _rewritten(content: bytes, stem: str) -> bytes:
    """The same archive under a root folder called `stem`, without debug members and with a fixed date."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(result, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            if name.endswith(".debug_pkl"):
                continue
            member = zipfile.ZipInfo("/".join([stem, *name.split("/")[1:]]), _EPOCH)
            data_start = result.tell() + 30 + len(member.filename.encode())
            # An extra field of an unassigned id, whose only content is the padding to the alignment.
            padding = -(data_start + 4) % _ALIGNMENT
            member.extra = b"FB" + padding.to_bytes(2, "little") + b"Z" * padding
            target.writestr(member, source.read(name))
    return result.getvalue()

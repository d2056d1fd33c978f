"""Model packages: a folder with model.json, parts, and a hash of every file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, Iterator

from .archive import local_paths
from .refusal import Refusal

MANIFEST = "model.json"
CARD = "README.md"
PICTURES = "pictures/"  # of the card


@contextlib.contextmanager
def new_package(folder: Path) -> Iterator[Path]:
    """A folder to write into, which gets its name when all went well and leaves nothing behind otherwise."""
    if folder.exists() or folder.is_symlink():
        raise Refusal("output", "a folder that does not exist yet", folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    temporary.mkdir()
    try:
        yield temporary
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_manifest(folder: Path, model: dict[str, Any]) -> None:
    """Adds the file list to `model` and writes it, once no archive names a path of this machine."""
    for path in sorted(folder.rglob("*.pt")):
        leaks = local_paths(path)
        if leaks:
            raise Refusal(path.name, "an archive without local paths", ", ".join(leaks))
    text = json.dumps({**model, "files": file_list(folder)}, indent=2) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def file_list(folder: Path) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of every file of the package but model.json, the card and its pictures."""
    listed = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in (MANIFEST, CARD) and not name.startswith(PICTURES):
            listed[name] = {"bytes": path.stat().st_size, "sha256": _sha256(path)}
    return listed


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    return digest.hexdigest()

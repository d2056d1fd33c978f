"""What quality is measured on: held-out drawings, photographs, clips. Written as PNG files of one size, 0000.png and on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy
from PIL import Image

from train.decoders_table import HELD_OUT_START
from train.photographs import find, read
from train.world import scene

PIECE = 256  # pixels: what a Fréchet distance takes as one sample, whatever the pictures' size
CLIPS = {".avi", ".mp4", ".mkv", ".webm", ".mov", ".y4m"}


class BadData(Exception):
    """Which folder, what was expected there, what was found."""


def write(pictures: Iterable[numpy.ndarray], folder: Path) -> Path:
    """@param pictures uint8 [H, W, 3]"""
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number:04d}.png", compress_level=1)
    return folder


def drawings(count: int, size: int) -> Iterable[numpy.ndarray]:
    return (scene(HELD_OUT_START + number, size)[0] for number in range(count))


def coco_files(folder: Path) -> list[Path]:
    """The pictures that a COCO folder's captions name: captions.json, or annotations/*.json; pictures beside them or in a folder."""
    listings = [folder / "captions.json"] if (folder / "captions.json").is_file() else sorted((folder / "annotations").glob("*.json"))
    if not listings:
        raise BadData(f"{folder}: captions.json or annotations/*.json expected, found neither")
    try:
        there = {path.name: path for path in find(folder).values()}
    except ValueError as error:
        raise BadData(str(error)) from error
    named: dict[str, None] = {}
    for listing in listings:
        try:
            named |= dict.fromkeys(image["file_name"] for image in json.loads(listing.read_text())["images"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadData(f'{listing}: COCO\'s format expected ({{"images": [{{"file_name": …}}]}}), found {error!r}') from error
    found = [there[name] for name in named if name in there]
    if not found:
        raise BadData(f"{folder}: pictures that {listings[0].name} names expected, found none of {len(named)}")
    return found


def ucf_files(folder: Path) -> list[Path]:
    """The clips of UCF-101's layout, a folder a class, or of one plain folder; the first of every class, then the second …"""
    classes = sorted({path.parent for path in folder.rglob("*") if path.suffix.lower() in CLIPS})
    if not classes:
        raise BadData(f"{folder}: folders of clips ({', '.join(sorted(CLIPS))}) expected, found none")
    columns = [sorted(path for path in one.iterdir() if path.suffix.lower() in CLIPS) for one in classes]
    return [column[row] for row in range(max(map(len, columns))) for column in columns if row < len(column)]


def photographs(files: list[Path], count: int, size: int) -> tuple[list[numpy.ndarray], str]:
    """So many squares, and what they are: the middle of photographs that are large enough, else smaller ones side by side."""
    large: list[numpy.ndarray] = []
    for path in files:
        if len(large) == count:
            break
        with Image.open(path) as file:
            enough = min(file.size) >= size
        if enough:
            large.append(read(path, size))
    if large and (len(large) == count or size <= PIECE):
        return large, f"{len(large)} photographs"
    across = size // PIECE
    pieces = [piece for piece in (read(path, PIECE) for path in files[: count * across**2]) if piece.shape[:2] == (PIECE, PIECE)]
    made = [joined(pieces[first : first + across**2], across) for first in range(0, len(pieces) - across**2 + 1, across**2)]
    if not made:
        raise BadData(f"{across**2} photographs of {PIECE}x{PIECE} and more expected for a picture of {size}x{size}, found {len(pieces)}")
    return made, f"{len(made)} pictures of {across**2} photographs side by side, which are smaller than that"


def joined(pieces: list[numpy.ndarray], across: int) -> numpy.ndarray:
    rows = [numpy.concatenate(pieces[start : start + across], 1) for start in range(0, len(pieces), across)]
    return numpy.concatenate(rows, 0)


def read_whole(path: Path) -> numpy.ndarray:
    """uint8 [H, W, 3]"""
    with Image.open(path) as file:
        return numpy.array(file.convert("RGB"))


def cut(folder: Path, into: Path) -> Path:
    """Every picture in pieces of PIECE x PIECE."""
    pieces = []
    for path in find(folder).values():
        picture = read_whole(path)
        height, width = picture.shape[:2]
        pieces += [picture[top : top + PIECE, left : left + PIECE] for top in range(0, height, PIECE) for left in range(0, width, PIECE)]
    return write(pieces, into)

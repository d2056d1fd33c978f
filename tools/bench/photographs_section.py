"""Paper 1's quality on the user's photographs and clips: COCO and UCF-101, or what lies in the data folder."""

from __future__ import annotations

from pathlib import Path

from bench import pictures, quality
from bench.document import MISSING, Section, Table, number
from bench.pictures import BadData
from bench.program import stage
from bench.quality import Pictures
from bench.settings import Settings, say
from bench.spaces import SCENES_SPACE, Space

SIZES = {256: 16, 512: 4, 1024: 1}  # pictures of a quick run
WITHOUT_HASTE = 16
CLIPS = 2
CLIP_FRAMES = 8
DRAWINGS_ONLY = "models/scenes knows drawings alone: what it makes of photographs says how its decoders differ, not what they are for."


def picture_rows(settings: Settings, spaces: list[Space], files: list[Path], size: int, count: int) -> tuple[list[list[str]], str]:
    folder = settings.folder(f"photographs-{size}")
    cropped, what = pictures.photographs(files, count, size)
    wanted = Pictures(pictures.write(cropped, folder / "photographs"))
    rows = []
    for number_, space in enumerate(spaces):
        latents = space.encode(settings, wanted.folder, folder / f"{number_}.safetensors")
        for name in space.decoders:
            made = folder / f"{number_}-{name}"
            ms = stage(space.decode(settings, name, latents, made / "%04d.png"), "decode")["ms"] / len(cropped)
            rows.append([str(size), space.name, name, number(ms), *quality.of_pictures(settings, Pictures(made), wanted).cells()])
    return rows, f"{size}x{size}: {what}"


def pictures_table(settings: Settings, spaces: list[Space], coco: Path | None) -> Table:
    columns = ["pixels", "latent space", "decoder", "ms a picture", *quality.COLUMNS]
    folder = coco or (settings.data and settings.data / "images" / "coco_train2017")
    if not folder or not folder.is_dir():
        return Table("Photographs", columns, [], ["No photographs: name a folder with --coco, or $LIGHTSWITCH_DATA."])
    files = pictures.coco_files(folder)
    rows, notes, last = [], [], 0.0
    for size, count in SIZES.items():
        if not settings.budget.allows(1.5 * last):
            notes.append(f"{size}x{size}: left out, the time was up.")
            continue
        say(f"photographs at {size}x{size}")
        began = settings.budget.now()
        try:
            found, what = picture_rows(settings, spaces, files, size, count * (1 if settings.quick else WITHOUT_HASTE))
        except BadData as why:
            notes.append(f"{size}x{size}: {why}.")
            continue
        rows += found
        notes.append(what + ".")
        last = settings.budget.now() - began
    notes.append("ms: one run in turn over all pictures, on the wall, the first call included; for paired times see the other tables.")
    return Table(f"Photographs ({len(files)} of {folder.name})", columns, rows, notes)


def clip_rows(settings: Settings, spaces: list[Space], clip: Path, place: int) -> list[list[str]]:
    folder = settings.folder(f"clip-{place}")
    wanted = folder / "wanted"
    wanted.mkdir()
    (wanted / f"clip{clip.suffix}").symlink_to(clip.resolve())
    rows = []
    for number_, space in enumerate(spaces):
        latents = space.encode(settings, clip, folder / f"{number_}.safetensors")
        for name in space.decoders:
            made = folder / f"{number_}-{name}"
            report = space.decode(settings, name, latents, made / "clip.y4m")
            frames = report["clips"]["frames"]
            found, flicker = quality.of_clips(settings, made, wanted, CLIP_FRAMES)
            ms = stage(report, "decode")["ms"] / frames
            rows.append([clip.stem, str(frames), space.name, name, number(ms), *found.cells(), number(flicker, ".4f")])
    return rows


def clips_table(settings: Settings, spaces: list[Space], ucf: Path | None) -> Table:
    columns = ["clip", "frames", "latent space", "decoder", "ms a frame", *quality.COLUMNS, "flicker"]
    folder = ucf or (settings.data and settings.data / "video")
    if not folder or not folder.is_dir():
        return Table("Clips", columns, [], ["No clips: name a folder with --ucf, or $LIGHTSWITCH_DATA."])
    clips = pictures.ucf_files(folder)
    rows, notes, last = [], [], 0.0
    if settings.quick:
        clips = sorted(clips, key=lambda path: path.stat().st_size)[:CLIPS]
    for place, clip in enumerate(clips):
        if not settings.budget.allows(1.5 * last):
            notes.append(f"{len(clips) - place} clips: left out, the time was up.")
            break
        say(f"clip {clip.name}")
        began = settings.budget.now()
        rows += clip_rows(settings, spaces, clip, place)
        last = settings.budget.now() - began
    notes.append(
        f"Fréchet: video distance, of the mean features of every {CLIP_FRAMES} frames. Decoders of pictures decode every frame alone; "
        "flicker: by how much the change from each frame to the next is off."
    )
    return Table(f"Clips of {folder.name}", columns, rows, notes)


def section(settings: Settings, spaces: list[Space], coco: Path | None, ucf: Path | None) -> Section:
    about = [
        "Through an encoder and the decoders of its space: " + "; ".join(f"{one.name} ({', '.join(one.decoders)})" for one in spaces) + ".",
        "A full and a light decoder of one space of photographs are compared with --encoder SPEC --decoder FULL --decoder LIGHT.",
    ]
    if SCENES_SPACE in spaces:
        about.append(DRAWINGS_ONLY)
    tables = [
        pictures_table(settings.within(settings.budget.left() / 2, "pictures"), spaces, coco),
        clips_table(settings.within(settings.budget.left(), "clips"), spaces, ucf),
    ]
    for table in tables:
        if not table.rows:
            table.rows.append([MISSING] * len(table.columns))
    return Section("Photographs and clips", settings.source(), about, tables)

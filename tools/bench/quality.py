"""How near decoded pictures and clips come, by `lightswitch metrics`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.document import number
from bench.pictures import cut
from bench.settings import Settings

COLUMNS = ["PSNR dB", "SSIM", "LPIPS", "Fréchet"]


@dataclass(frozen=True)
class Quality:
    """Means; None where there is no judge, or where nothing differs."""

    psnr: float | None
    ssim: float | None
    lpips: float | None
    frechet: float | None

    def cells(self) -> list[str]:
        return [number(self.psnr, ".2f"), number(self.ssim, ".4f"), number(self.lpips, ".4f"), number(self.frechet, ".2f")]


NOT_MEASURED = Quality(None, None, None, None)


def near(settings: Settings, made: Path, wanted: Path, more: list[str | Path]) -> dict[str, float | None]:
    words: list[str | Path] = ["metrics", made, wanted, "--metric", "psnr", "--metric", "ssim", *more]
    if settings.lpips:
        words += ["--metric", "lpips", "--lpips", settings.lpips]
    return {name: one["mean"] for name, one in settings.program.report(*words)["metrics"].items()}


class Pictures:
    """A folder of pictures of one size."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def pieces(self) -> Path:
        return cut(self.folder, self.folder.with_name(self.folder.name + "-pieces"))

    @property
    def statistics(self) -> Path:
        """Of the pieces' features, once they were gathered."""
        return self.folder.with_name(self.folder.name + "-statistics.safetensors")


def of_pictures(settings: Settings, made: Pictures, wanted: Pictures) -> Quality:
    """Fréchet distances are of pieces, so that every size has as many."""
    found = near(settings, made.folder, wanted.folder, [])
    distance = None
    if settings.features:
        kept = wanted.statistics.is_file()
        sets = [wanted.statistics, made.pieces] if kept else [wanted.pieces, made.pieces, "--save-statistics", wanted.statistics]
        distance = settings.program.report("metrics", *sets, "--sets", "--features", settings.features)["frechet"]["distance"]
    return Quality(found["psnr"], found["ssim"], found.get("lpips"), distance)


def of_clips(settings: Settings, made: Path, wanted: Path, frames: int) -> tuple[Quality, float]:
    """Of two folders of clips, and the flicker. Fréchet video distance: of runs of so many frames, mean features."""
    found = near(settings, made, wanted, ["--metric", "flicker"])
    distance = None
    if settings.features:
        distance = settings.program.report(
            "metrics", made, wanted, "--sets", "--features", settings.features, "--frame-features", "--clip-frames", str(frames)
        )["frechet"]["distance"]
    return Quality(found["psnr"], found["ssim"], found.get("lpips"), distance), found["flicker"]

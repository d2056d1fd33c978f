"""A program for tests: pictures of one grey, a figure for everything that is asked for, in no time."""

from __future__ import annotations

from pathlib import Path

import numpy
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

MIB = 2**20


class FakeProgram:
    def __init__(self) -> None:
        self.threads, self.processor_ms = 1, 5.0
        self.commands: list[list[str]] = []

    def report(self, *given: str | Path) -> dict:
        words = [str(word) for word in given]
        self.commands.append(words)
        after = {name: words[place + 1] for place, name in enumerate(words[:-1])}
        return getattr(self, words[0])(words[1:], after)

    def encode(self, words: list[str], after: dict[str, str]) -> dict:
        files = sorted(Path(words[0]).glob("*.png"))
        edge = Image.open(files[0]).width // 8
        save_file({"latents": torch.zeros(len(files), 4, edge, edge)}, after["-o"], {"format": "lightswitch.latents"})
        return {}

    def decode(self, words: list[str], after: dict[str, str]) -> dict:
        latents, decoder = load_file(words[0])["latents"], after["--decoder"]
        edge, full = 8 * latents.shape[-1], "vae" in decoder and "light=" not in decoder
        for number in range(latents.shape[0] * (latents.shape[2] if latents.dim() == 5 else 1)):
            path = Path(after["-o"] % number)
            if path.suffix == ".npy":
                numpy.save(path, numpy.full((edge, edge, 3), 0.5, numpy.float32))
            else:
                Image.new("RGB", (edge, edge), (128, 128, 128)).save(path)
        ms = 4.0 if full else 1.0
        share = decoder.partition("heavy-share=")[2].partition(",")[0]
        return {
            "stages": [{"name": "decode", "ms": ms, "ms_all": [ms] * int(after.get("--repeat", 1))}],
            "peak_bytes": MIB * (300 if full else 200 if "proj" in decoder else 230),
            "routing": routing(float(share), len(latents)) if share else None,
        }

    def metrics(self, words: list[str], after: dict[str, str]) -> dict:
        if "--save-statistics" in after:
            Path(after["--save-statistics"]).touch()
        full = any("vae" in Path(word).name for word in words[:2])
        figures = {"psnr": 30.0 + full, "ssim": 0.8 + 0.1 * full, "flicker": 0.0} | ({"lpips": 0.1} if "--lpips" in after else {})
        return {"metrics": {name: {"mean": value} for name, value in figures.items()}, "frechet": {"distance": 5.0 - 3 * full}}

    def image(self, words: list[str], after: dict[str, str]) -> dict:
        ms = {"text": 1.0, "denoise": 9.0 * int(after["--steps"]), "decode": 30.0 if "vae" in after["--decoder"] else 10.0}
        return {"stages": [{"name": name, "ms": value} for name, value in ms.items()]}


def routing(heavy_share: float, pictures: int) -> dict:
    """Of ways that cost a hundred and ten."""
    macs = pictures * (10 + 90 * heavy_share)
    return {
        "light_share": 1 - heavy_share,
        "macs": macs,
        "mean_reduction": 100 * pictures / macs,
        "parameters_touched": 7,
        "reduction_per_picture": 10.0,
        "parameter_reduction": 20.0,
    }

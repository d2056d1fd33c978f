"""Our decoders against eager PyTorch: same weights, same latents, same machine, paired rounds.

    python tools/bench/eager_peer.py --size 512 --rounds 5 [--decoder kl --decoder taesd …] [--dtype fp32|bf16]
    python tools/bench/eager_peer.py --size 1024x576 --frames 8 --decoder svd --decoder taesdv

With --frames the decoders are those of clips, which both sides decode at once. Each round times eager, ours, ours, eager (ABBA), each the
best of several calls; the ratio of a round is eager over ours. Outputs are
compared before anything is timed. Needs a Python with torch and diffusers and a built `lightswitch`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Both sides are bound, or two threads may share a core for a whole run. Torch binds this process's first thread as soon as it
# computes, and a child would inherit that one core.
os.environ.setdefault("OMP_PROC_BIND", "true")
CORES = os.sched_getaffinity(0)

import numpy
import torch
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from reference.case import randomise  # noqa: E402

DECODERS = {
    "kl": ("kl", {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "latent_channels": 4}),
    "tae-192": ("taming", {"width": 192}),
    "efficientvit": ("vit", {"bare": True, "latent_channels": 4, "encoder": {"width": [8], "depth": [1]},
                             "decoder": {"width": [128, 128, 128, 256, 256, 256], "depth": [0, 5, 10, 0, 0, 0],
                                         "norm": "batch_norm", "act": "relu"}}),
    "taesd": ("taming", {"width": 64}),
}
CLIP_DECODERS = {
    "svd": ("svd", {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "decoder_only": True}),
    "tae-192-temporal": ("taming", {"video": "tiny_temporal", "width": 192}),
    "taesdv": ("taming", {"video": "taesdv", "width": 64}),
}
CALLS = 3
SETTLED_MS = 500  # calls go on for as long: the system takes its time to give both threads a core of their own


class Ours:
    def __init__(self, program: Path, weights: Path, latents: Path, dtype: str, folder: Path) -> None:
        self.folder = folder / f"{weights.stem}-ours"
        self.folder.mkdir()
        self.command = [str(program), "decode", str(latents), "--decoder", f"{weights},dtype={dtype}", "--kind", "raw",
                        "--scaling-factor", "1", "-q", "--json", "-", "-o", str(self.folder / "%04d.npy")]

    def pictures(self) -> torch.Tensor:
        """What the last call made, [T, H, W, 3] in [0, 1]."""
        return torch.stack([torch.from_numpy(numpy.load(file)) for file in sorted(self.folder.iterdir())])

    def best_ms(self, calls: int = CALLS) -> float:
        process = subprocess.run([*self.command, "--repeat", str(calls + 1)], check=True, capture_output=True, text=True,
                                 preexec_fn=lambda: os.sched_setaffinity(0, CORES))
        report = json.loads(process.stdout)
        decode = next(stage for stage in report["stages"] if stage["name"] == "decode")
        return min(decode["ms_all"][1:])


class Eager:
    def __init__(self, decode, latents: torch.Tensor) -> None:
        self.decode, self.latents = decode, latents

    def best_ms(self, calls: int) -> float:
        times = []
        with torch.inference_mode():
            for _ in range(calls + 1):
                start = time.perf_counter()
                self.decode(self.latents)
                times.append((time.perf_counter() - start) * 1e3)
        return min(times[1:])


def check(autoencoder, eager: Eager, ours: Ours, least_db: float) -> int:
    """A wrong answer is not timed. Returns how many calls to time."""
    calls = max(CALLS, round(SETTLED_MS / ours.best_ms(1)))
    low, high = autoencoder.picture_range
    with torch.inference_mode():
        expected = ((eager.decode(eager.latents).float() - low) / (high - low)).clamp(0, 1).permute(0, 2, 3, 1)
    error = (ours.pictures() - expected).square().mean().item()
    quality = 10 * math.log10(1 / error) if error else math.inf
    if quality < least_db:
        sys.exit(f"wrong answer: {quality:.1f} dB against eager, at least {least_db} wanted")
    return calls


def compare(name: str, options: argparse.Namespace, folder: Path) -> None:
    family, config = (CLIP_DECODERS if options.frames else DECODERS)[name]
    autoencoder = importlib.import_module(f"reference.{family}").build(dict(config))
    randomise(autoencoder.module.eval(), torch.Generator().manual_seed(0))
    weights, latent_file = folder / f"{name}.safetensors", folder / f"{name}-latents.safetensors"
    save_file({key: value.contiguous() for key, value in autoencoder.state().items()}, weights)
    width, height = (pixels // autoencoder.factor for pixels in options.size)
    shape = (options.frames or 1, autoencoder.channels, height, width)
    latents = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    stored = latents.transpose(0, 1)[None] if options.frames else latents
    save_file({"latents": stored.contiguous()}, latent_file)

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[options.dtype]
    autoencoder.module.to(dtype=dtype)
    for parameter in autoencoder.module.parameters():  # those of convolutions along time have five axes
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    decode = autoencoder.decode
    if options.frames and autoencoder.decode_frames:
        decode = lambda frames: autoencoder.decode_frames(frames.transpose(0, 1))  # noqa: E731
    eager = Eager(decode, latents.to(dtype).contiguous(memory_format=torch.channels_last))
    ours = Ours(options.program, weights, latent_file, options.dtype, folder)

    calls = check(autoencoder, eager, ours, 60 if options.dtype == "fp32" else 40)
    ratios, our_times, eager_times = [], [], []
    for _ in range(options.rounds):
        a = [eager.best_ms(calls)]
        b = [ours.best_ms(calls), ours.best_ms(calls)]
        a.append(eager.best_ms(calls))
        our_times += b
        eager_times += a
        ratios.append(min(a) / min(b))
    what = "x".join(map(str, options.size)) + (f", {options.frames} frames" if options.frames else "")
    print(f"{name:16} {what} {options.dtype}  eager {min(eager_times):9.1f} ms  ours {min(our_times):9.1f} ms  "
          f"ratio {statistics.median(ratios):5.2f} ({min(ratios):.2f} … {max(ratios):.2f})", flush=True)


def size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height or width)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decoder", action="append", choices=[*DECODERS, *CLIP_DECODERS])
    parser.add_argument("--size", type=size, default="512", metavar="N|WxH", help="pixels: the edge, or width and height")
    parser.add_argument("--frames", type=int, default=0, help="decode clips of so many latents")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--program", type=Path, default=ROOT / "build" / "release" / "bin" / "lightswitch")
    options = parser.parse_args()
    known = CLIP_DECODERS if options.frames else DECODERS
    if unknown := set(options.decoder or known) - set(known):
        parser.error(f"{', '.join(sorted(unknown))}: with --frames {', '.join(CLIP_DECODERS)}, without {', '.join(DECODERS)}")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.decoder or known:
            compare(name, options, Path(folder))


if __name__ == "__main__":
    main()

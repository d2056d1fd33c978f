"""Quality against cost of a routed decoder, 0 to 100 % heavy in steps of 10 %: the gate beside chance, a rule of energy and an oracle.

    python tools/bench/routing_curve.py routed.safetensors --lpips lpips.ts -o curve            held-out drawings
    python tools/bench/routing_curve.py routed.safetensors --images DIR --lpips lpips.ts -o curve     photographs

Writes curve.json, curve.svg and curve.md. Quality is that of the trained networks in PyTorch; multiply-adds and milliseconds are those of the
built `lightswitch`, whose picture is compared first. The shares take turns, so that a busy machine slows all of them. Latents are made by
the encoder of models/scenes.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from train.autoencoder import to_network  # noqa: E402
from train.dcae import Autoencoder  # noqa: E402
from train.decoders_table import HELD_OUT_START  # noqa: E402
from train.photographs import find, read  # noqa: E402
from train.routed import RoutedDecoder, from_weights  # noqa: E402
from train.routed_curves import SHARES, quality_curves, verdict  # noqa: E402
from train.runs import CONFIGS, read_config, write_atomically  # noqa: E402
from train.shipped import shipped_autoencoder  # noqa: E402
from train.world import scene  # noqa: E402

LEAST_DB = 45  # our picture against the same network's in PyTorch, fp32
TIMED_PICTURES = 4


def load_encoder() -> torch.nn.Module:
    shipped = shipped_autoencoder()
    model = Autoencoder(json.loads(shipped["config"])["model"])
    model.load_state_dict(shipped["model"])
    return model.eval().requires_grad_(False).encoder


@torch.no_grad()
def pictures_with_latents(options: argparse.Namespace, tile: int) -> list[tuple[np.ndarray, Tensor]]:
    """Cut to whole tiles, so that every share is one of equal tiles."""
    if options.images:
        pictures = [read(path, options.side) for path in list(find(options.images).values())[: options.count]]
    else:
        pictures = [scene(seed, options.pixels)[0] for seed in range(HELD_OUT_START, HELD_OUT_START + options.count)]
    encoder, side, items = load_encoder(), 8 * tile, []
    for picture in pictures:
        height, width = (length // side * side for length in picture.shape[:2])
        if height and width:
            picture = np.ascontiguousarray(picture[:height, :width])
            items.append((picture, encoder(to_network(picture[None]))[0]))
    return items


class Program:
    """`lightswitch decode` at a share, on the first pictures of one size."""

    def __init__(self, options: argparse.Namespace, items: list[tuple[np.ndarray, Tensor]], folder: Path):
        first = items[0][1]
        latents = [z for _, z in items if z.shape == first.shape][:TIMED_PICTURES]
        self.options, self.folder, self.count = options, folder, len(latents)
        save_file({"latents": torch.stack(latents).contiguous()}, folder / "latents.safetensors")

    def decode(self, share: float, repeat: int, dtype: str) -> dict:
        spec = f"{self.options.weights},tile={self.options.tile},heavy-share={share},dtype={dtype},family=routed"
        command = [str(self.options.program), "decode", str(self.folder / "latents.safetensors"), "--decoder", spec]
        command += ["--kind", "raw", "--scaling-factor", "1", "--repeat", str(repeat), "-q", "--json", "-"]
        command += ["-t", str(self.options.threads), "-o", str(self.folder / "%04d.npy")]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)}: {done.stderr}")
        return json.loads(done.stdout)

    @torch.no_grad()
    def check(self, model: RoutedDecoder) -> None:
        """A wrong answer is not timed."""
        self.decode(0.3, 1, "fp32")
        z = load_file(self.folder / "latents.safetensors")["latents"]
        expected = ((model(z, 0.3) + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1).numpy()
        made = np.stack([np.load(self.folder / f"{i:04d}.npy") for i in range(self.count)])
        error = float(np.square(made - expected).mean())
        if error and -10 * math.log10(error) < LEAST_DB:
            sys.exit(f"wrong answer: {-10 * math.log10(error):.1f} dB against PyTorch, at least {LEAST_DB} wanted")

    def measure(self) -> dict[str, list[float]]:
        """Medians over the rounds: milliseconds of a picture, and times and multiply-adds over those of all heavy."""
        ms, ratios, macs = ({share: [] for share in SHARES} for _ in range(3))
        for _ in range(self.options.rounds):
            for share in SHARES:
                report = self.decode(share, 4, self.options.dtype)
                decode = next(stage for stage in report["stages"] if stage["name"] == "decode")
                ms[share].append(min(decode["ms_all"][1:]) / self.count)
                macs[share].append(report["routing"]["macs"] / self.count)
            for share in SHARES:
                ratios[share].append(ms[share][-1] / ms[SHARES[-1]][-1])
        gmac = [statistics.median(macs[share]) / 1e9 for share in SHARES]
        return {
            "ms": [round(statistics.median(ms[share]), 3) for share in SHARES],
            "gmac": [round(value, 4) for value in gmac],
            "time_over_all_heavy": [round(statistics.median(ratios[share]), 3) for share in SHARES],
            "macs_over_all_heavy": [round(value / gmac[-1], 3) for value in gmac],
        }


COLOURS = {"gate": "#c2410c", "oracle": "#15803d", "energy": "#6b7280", "random": "#2563eb"}
COLOURS |= {"time": "#c2410c", "multiply-adds": "#2563eb"}
WIDTH, HEIGHT, MARGIN = 360, 260, 44


def panel(title: str, curves: dict[str, list[float]], left: int) -> str:
    low, high = min(min(c) for c in curves.values()), max(max(c) for c in curves.values())
    span = (high - low) or 1.0
    across = lambda share: left + MARGIN + share * (WIDTH - 2 * MARGIN)
    down = lambda value: HEIGHT - MARGIN - (value - low) / span * (HEIGHT - 2 * MARGIN)
    parts = [f'<text x="{left + WIDTH / 2}" y="18" text-anchor="middle" font-weight="bold">{title}</text>']
    parts += [f'<text x="{across(s)}" y="{HEIGHT - MARGIN + 16}" text-anchor="middle">{s:.0%}</text>' for s in (0, 0.5, 1)]
    parts += [f'<text x="{across(0.5)}" y="{HEIGHT - 8}" text-anchor="middle">heavy tiles</text>']
    for value in (low, low + span / 2, high):
        y = down(value)
        parts.append(f'<line x1="{across(0)}" x2="{across(1)}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{across(0) - 4}" y="{y + 4}" text-anchor="end">{value:.4g}</text>')
    for number, (name, values) in enumerate(curves.items()):
        points = " ".join(f"{across(share):.1f},{down(value):.1f}" for share, value in zip(SHARES, values))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-width="1.8"/>')
        x, y = left + MARGIN + 8 + number * 70, 34
        parts.append(f'<text x="{x}" y="{y}" fill="{COLOURS[name]}">{name}</text>')
    return "\n".join(parts)


def drawn(result: dict) -> str:
    titles = {"psnr": "PSNR, dB", "lpips": "LPIPS (less is better)"}
    panels = [(titles[measure], curves) for measure, curves in result["quality"].items()]
    cost = result["cost"]
    panels.append(
        ("over all heavy", {"time": cost["time_over_all_heavy"], "multiply-adds": cost["macs_over_all_heavy"]})
    )
    body = "\n".join(panel(title, curves, i * WIDTH) for i, (title, curves) in enumerate(panels))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH * len(panels)}" height="{HEIGHT}" font-family="sans-serif" font-size="11">'
    return f'{head}\n<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'


def table(result: dict) -> str:
    quality, cost = result["quality"], result["cost"]
    measures = [(measure, rule) for measure in quality for rule in ("gate", "random", "energy", "oracle")]
    head = ["heavy", *(f"{measure} {rule}" for measure, rule in measures), "GMAC", "ms", "time", "MACs"]
    rows = [
        [f"{share:.0%}", *(f"{quality[m][r][i]:.4g}" for m, r in measures), f"{cost['gmac'][i]:.3f}", f"{cost['ms'][i]:.2f}"]
        + [f"{cost[key][i]:.2f}" for key in ("time_over_all_heavy", "macs_over_all_heavy")]
        for i, share in enumerate(SHARES)
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="name of the results without extension")
    parser.add_argument("--images", type=Path, help="folder of pictures; without it, held-out drawings")
    parser.add_argument("--side", type=int, help="with --images: scaled down to this many pixels and cut to a square")
    parser.add_argument("--pixels", type=int, default=128, help="edge of the drawings (default: 128)")
    parser.add_argument("--count", type=int, default=64, help="pictures (default: 64)")
    parser.add_argument("--tile", type=int, default=4, help="edge of a tile in latents that the gate was trained for")
    parser.add_argument("--lpips", type=Path, help="TorchScript judge of pictures in -1..1")
    parser.add_argument("--program", type=Path, default=ROOT / "build/release/bin/lightswitch")
    parser.add_argument("--dtype", default="bf16", choices=["fp32", "bf16"], help="of the timed decoder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if not options.program.exists():
        sys.exit(f"{options.program}: expected the built program, found none")
    model = from_weights(load_file(options.weights), options.tile)
    items = pictures_with_latents(options, options.tile)
    judge = torch.jit.load(str(options.lpips)).eval() if options.lpips else None
    gradient_weight = read_config(CONFIGS / "scenes_routed.json")["gradient_weight"]
    quality = quality_curves(model, items, gradient_weight, judge)
    with tempfile.TemporaryDirectory() as folder:
        program = Program(options, items, Path(folder))
        program.check(model)
        cost = program.measure()
    result = {
        "pictures": len(items),
        "of": "a folder of pictures" if options.images else f"held-out drawings of {options.pixels} pixels",
        "dtype": options.dtype,
        "threads": options.threads,
        "shares": SHARES,
        "quality": quality,
        "gate": {m: verdict(curve, 1 if m == "psnr" else -1) for m, curve in quality.items()},
        "cost": cost,
    }
    text = {".json": json.dumps(result, indent=1) + "\n", ".svg": drawn(result), ".md": table(result) + "\n"}
    for suffix, content in text.items():
        write_atomically(options.output.with_suffix(suffix), lambda path: path.write_text(content))
    print(text[".md"])
    print(json.dumps(result["gate"], indent=1))


if __name__ == "__main__":
    main()

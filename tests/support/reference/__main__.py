"""python -m reference FAMILY --config JSON --out FILE: writes one parity case."""

import argparse
import importlib
import json
from pathlib import Path

import torch

from .case import write_case


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=["kl", "svd", "taming", "vit", "vqgan", "scenes", "routed"])
    parser.add_argument("--config", type=json.loads, required=True, help="the family's own arguments, as JSON")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--latent", default="1x16x16", help="batch, height and width of the latents")
    parser.add_argument("--dtype", choices=["float32", "float16"], default="float32", help="how the weights are stored")
    options = parser.parse_args()

    family = importlib.import_module(f".{options.family}", __package__)
    batch, height, width = map(int, options.latent.split("x"))
    write_case(family.build(options.config), options.out, options.seed, batch, height, width, getattr(torch, options.dtype))


if __name__ == "__main__":
    main()

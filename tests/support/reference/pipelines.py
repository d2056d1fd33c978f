"""python -m reference.pipelines KIND FOLDER: a tiny diffusers pipeline, its package, and pictures that diffusers makes.

Writes FOLDER/package, FOLDER/start.png, FOLDER/cases.json (name and the arguments of `lightswitch image`) and
FOLDER/pictures.safetensors (NAME.pictures [N, 3, H, W] in [0, 1] and NAME.latents). Needs tools/export on the path.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import diffusers
import numpy
import torch
from lightswitch_export.scheduler_parts import CHOICES
from PIL import Image
from safetensors.torch import save_file
from tests.tiny_pipelines import KINDS
from transformers import CLIPTextModel

# diffusers 0.42's clip_skip looks for the layers where transformers 5 does not have them any more.
if not hasattr(CLIPTextModel, "text_model"):
    CLIPTextModel.text_model = property(lambda self: self)

PROMPT = "two red houses at the sea, in snow"
LONG = "a red house beside a horse, " * 40
NAMES = ("prompt", "negative", "width", "height", "steps", "cfg", "seed", "batch", "method", "clip_skip", "strength")
FLAGS = dict(zip(NAMES, ("-p", "-n", "-W", "-H", "--steps", "--cfg-scale", "-s", "-b", "--sampling-method", "--clip-skip", "--strength")))
BASE = {"prompt": PROMPT, "width": 40, "height": 24, "steps": 6, "cfg": 4.0, "seed": 7, "batch": 1}

CASES = {
    "sd1": {
        "own scheduler": {},
        "no guidance": {"cfg": 1.0},
        "strong guidance, negative prompt": {"cfg": 9.5, "negative": "blue, night"},
        "square": {"width": 32, "height": 32},
        "batch": {"batch": 2, "method": "euler_a"},
        "long prompt": {"prompt": LONG},
        "long negative prompt": {"negative": LONG},
        "empty prompt": {"prompt": ""},
        "odd characters": {"prompt": "Ünïcode – 雪の家 & “quotes” <|endoftext|> 3.14"},
        "clip skip": {"clip_skip": 1, "negative": "night"},
        "ddim": {"method": "ddim", "steps": 5},
        **{method: {"method": method, "steps": 7} for method in ("euler", "euler_a", "dpm++2m", "dpm++2m_karras")},
        "unipc": {"method": "unipc", "steps": 5, "cfg": 9.5},
        "few steps": {"steps": 2},
        "image": {"strength": 0.6},
        "image, whole strength": {"strength": 1.0, "method": "euler"},
        "image, batch": {"strength": 0.5, "method": "dpm++2m", "batch": 2, "negative": "night"},
        "image, unipc": {"strength": 0.8, "method": "unipc", "width": 32},
        "image, ancestral": {"strength": 0.7, "method": "euler_a", "width": 32},
    },
    "sd2": {
        "own scheduler": {},
        "euler": {"method": "euler"},
        "dpm++2m": {"method": "dpm++2m", "negative": "night", "batch": 2},
        "unipc": {"method": "unipc"},
        "long prompt": {"prompt": LONG},
        "image": {"strength": 0.6},
    },
    "lcm": {
        "own scheduler": {"steps": 4, "cfg": 8.0},
        "little guidance": {"steps": 4, "cfg": 1.5},
        "batch": {"steps": 3, "cfg": 8.0, "batch": 2},
        "image": {"steps": 4, "strength": 0.5, "cfg": 8.0},
    },
    "sdxl": {
        "own scheduler": {},
        "negative prompt": {"negative": "blue, night"},
        "no guidance": {"cfg": 1.0},
        "square": {"width": 32, "height": 32},
        "batch": {"batch": 2, "method": "dpm++2m_karras"},
        "long prompt": {"prompt": LONG},
        "clip skip": {"clip_skip": 1},
        "image": {"strength": 0.6, "negative": "night"},
    },
    "turbo": {
        "one step": {"steps": 1, "cfg": 0.0},
        "four steps": {"steps": 4, "cfg": 0.0},
        "guided": {"steps": 4, "cfg": 3.0, "batch": 2},
    },
}  # fmt: skip


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Nearer than five times what the tests allow."""
    return a.shape == b.shape and float((a - b).abs().max()) < 1e-2


def start_picture(width: int, height: int) -> Image.Image:
    """Smooth colours with an edge in them."""
    y, x = numpy.mgrid[0:height, 0:width]
    levels = numpy.stack([x * 255 // width, y * 255 // height, (x > y) * 180], axis=2)
    return Image.fromarray(levels.astype(numpy.uint8))


def with_scheduler(pipeline, method: str | None):
    if method is None:
        return pipeline
    class_name, overrides = CHOICES[method]
    scheduler = getattr(diffusers, class_name).from_config(pipeline.scheduler.config, **overrides)
    return type(pipeline)(**{**pipeline.components, "scheduler": scheduler}, **keywords(pipeline))


def keywords(pipeline) -> dict:
    if hasattr(pipeline, "text_encoder_2"):
        return {"force_zeros_for_empty_prompt": pipeline.config.force_zeros_for_empty_prompt, "add_watermarker": False}
    return {"requires_safety_checker": False}


def run(pipeline, case: dict, kind: str) -> torch.Tensor:
    """What diffusers makes of a case; `kind` is "pt" for pictures or "latent"."""
    arguments = {
        "prompt": case["prompt"],
        "negative_prompt": case.get("negative"),
        "num_inference_steps": case["steps"],
        "guidance_scale": case["cfg"],
        "num_images_per_prompt": case["batch"],
        "generator": [torch.Generator("cpu").manual_seed(case["seed"] + i) for i in range(case["batch"])],
        "clip_skip": case.get("clip_skip"),
        "output_type": kind,
    }
    pipeline = with_scheduler(pipeline, case.get("method"))
    if "strength" in case:
        name = type(pipeline).__name__.replace("Pipeline", "Img2ImgPipeline")
        pipeline = getattr(diffusers, name)(**pipeline.components, **keywords(pipeline))
        arguments |= {"image": start_picture(case["width"], case["height"]), "strength": case["strength"]}
    else:
        arguments |= {"width": case["width"], "height": case["height"]}
    pipeline.set_progress_bar_config(disable=True)
    return pipeline(**arguments).images.float().contiguous()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=list(CASES))
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    diffusers.utils.logging.set_verbosity_error()
    torch.set_num_threads(1)
    KINDS[options.kind]().save_pretrained(options.folder / "source")
    export = [sys.executable, "-W", "ignore", "-m", "lightswitch_export", str(options.folder / "source")]
    subprocess.run([*export, "-o", str(options.folder / "package"), "--dtype", "fp32"], check=True, env=os.environ)
    pipeline = getattr(diffusers, json.loads((options.folder / "source/model_index.json").read_text())["_class_name"])
    pipeline = pipeline.from_pretrained(options.folder / "source", local_files_only=True, **watermark(options.kind))

    tensors, cases = {}, []
    for name, changes in CASES[options.kind].items():
        case = BASE | changes
        pictures = run(pipeline, case, "pt")
        if any(close(pictures, other) for key, other in tensors.items() if key.endswith(".pictures")):
            raise SystemExit(f"{name}: the same picture as another case, so it would test nothing")
        arguments = [text for key, value in case.items() for text in (FLAGS[key], str(value))]
        if "strength" in case:
            start = options.folder / f"start-{case['width']}x{case['height']}.png"
            start_picture(case["width"], case["height"]).save(start)
            arguments += ["-i", start.name]
        tensors[f"{name}.pictures"] = pictures
        tensors[f"{name}.latents"] = run(pipeline, case, "latent")
        cases.append({"name": name, "arguments": arguments})
    save_file(tensors, options.folder / "pictures.safetensors")
    (options.folder / "cases.json").write_text(json.dumps(cases), encoding="utf-8")


def watermark(kind: str) -> dict:
    return {"add_watermarker": False} if kind in ("sdxl", "turbo") else {}


if __name__ == "__main__":
    main()

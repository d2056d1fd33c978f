"""python -m reference.clips FOLDER: a tiny Stable Video Diffusion, its package, and clips that diffusers makes.

Writes FOLDER/package, FOLDER/start-WxH.png, FOLDER/cases.json (name and the arguments of `lightswitch video`) and
FOLDER/clips.safetensors (NAME.frames [T, 3, H, W] in [0, 1] and NAME.latents [1, C, T, h, w]). Needs tools/export on
the path.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import diffusers
import torch
from safetensors.torch import save_file
from tests.tiny_pipelines import KINDS

from reference.pipelines import close, start_picture

FLAGS = {
    "width": "-W",
    "height": "-H",
    "num_frames": "--video-frames",
    "num_inference_steps": "--steps",
    "fps": "--fps",
    "motion_bucket_id": "--motion-bucket",
    "noise_aug_strength": "--noise-aug",
    "min_guidance_scale": "--min-cfg",
    "max_guidance_scale": "--max-cfg",
    "decode_chunk_size": "--decode-chunk",
    "seed": "-s",
}
BASE = {"width": 40, "height": 24, "num_frames": 5, "num_inference_steps": 4, "seed": 7}
CASES = {
    "defaults": {},
    "square": {"width": 32, "height": 32, "seed": 8},
    "no guidance": {"max_guidance_scale": 1.0},
    "strong guidance": {"min_guidance_scale": 2.0, "max_guidance_scale": 5.0},
    "other motion": {"fps": 24, "motion_bucket_id": 20},
    "much noise": {"noise_aug_strength": 0.3},
    "chunks": {"decode_chunk_size": 2, "num_frames": 7},
}


def run(pipeline, case: dict, kind: str) -> torch.Tensor:
    """What diffusers makes of a case; `kind` is "pt" for frames [T, 3, H, W] or "latent", [T, C, h, w]."""
    arguments = {name: value for name, value in case.items() if name != "seed"}
    picture = start_picture(case["width"], case["height"])
    generator = torch.Generator("cpu").manual_seed(case["seed"])
    return pipeline(picture, generator=generator, output_type=kind, **arguments).frames[0].float().contiguous()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    diffusers.utils.logging.set_verbosity_error()
    torch.set_num_threads(1)
    KINDS["svd"]().save_pretrained(folder / "source")
    export = [sys.executable, "-W", "ignore", "-m", "lightswitch_export", str(folder / "source")]
    subprocess.run([*export, "-o", str(folder / "package"), "--dtype", "fp32"], check=True, env=os.environ)
    pipeline = diffusers.StableVideoDiffusionPipeline.from_pretrained(folder / "source", local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)

    tensors, cases = {}, []
    for name, changes in CASES.items():
        case = BASE | changes
        frames = run(pipeline, case, "pt")
        if any(close(frames, other) for key, other in tensors.items() if key.endswith(".frames")):
            raise SystemExit(f"{name}: the same clip as another case, so it would test nothing")
        start = folder / f"start-{case['width']}x{case['height']}.png"
        start_picture(case["width"], case["height"]).save(start)
        arguments = [text for key, value in case.items() for text in (FLAGS[key], str(value))]
        tensors[f"{name}.frames"] = frames
        tensors[f"{name}.latents"] = run(pipeline, case, "latent").transpose(0, 1)[None].contiguous()
        cases.append({"name": name, "arguments": [*arguments, "-i", start.name]})
    save_file(tensors, folder / "clips.safetensors")
    (folder / "cases.json").write_text(json.dumps(cases), encoding="utf-8")


if __name__ == "__main__":
    main()

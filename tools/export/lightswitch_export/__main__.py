"""`python -m lightswitch_export DIFFUSERS_DIR -o PACKAGE`: a diffusers pipeline as a model package."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

from . import image_to_video, text_to_image
from .package import new_package
from .parts import Options
from .refusal import Refusal, require
from .source import Source
from .tracing import DTYPES


def parse_sizes(text: str) -> tuple[tuple[int, int], ...]:
    sizes = []
    for part in text.split(","):
        width, cross, height = part.strip().partition("x")
        if not (cross and width.isdigit() and height.isdigit()):
            raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT[,WIDTHxHEIGHT…], found {part!r}")
        sizes.append((int(width), int(height)))
    return tuple(sizes)


EXPORTERS = {
    **dict.fromkeys(text_to_image.PIPELINES, text_to_image.export),
    **dict.fromkeys(image_to_video.PIPELINES, image_to_video.export),
}


def export(folder: Path, package: Path, options: Options) -> None:
    """Writes the package, telling each comparison on standard output. @raises Refusal; the package is then not there."""
    source = Source(folder)
    require(source.pipeline in EXPORTERS, "model_index.json: _class_name", ", ".join(EXPORTERS), source.pipeline)
    with new_package(package) as target:
        EXPORTERS[source.pipeline](source, target, package.name, options, lambda comparison: print(comparison, flush=True))
    print(f"wrote {package}")


def quieten() -> None:
    """Tracing warns of every shape that Python looks at; whether one was frozen is what the comparisons show."""
    import diffusers
    import transformers

    warnings.filterwarnings("ignore")
    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.set_verbosity_error()
        library.disable_progress_bar()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lightswitch_export", description=__doc__)
    parser.add_argument("source", type=Path, metavar="DIFFUSERS_DIR", help="folder with model_index.json")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="PACKAGE", help="folder to make")
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="fp16", help="of the stored weights (default: fp16)")
    parser.add_argument(
        "--sizes", type=parse_sizes, default=(), metavar="WxH,…",
        help="pixels to check the denoiser at, the first becomes the package's default (default: the model's own)",
    )  # fmt: skip
    parser.add_argument("--steps", type=int, help="the package's default (default: 50, consistency models 4, video 25)")
    parser.add_argument("--cfg-scale", type=float, help="the package's default (default: 7.5, SDXL 5, video up to 3)")
    arguments = parser.parse_args()
    options = Options(arguments.dtype, arguments.sizes, arguments.steps, arguments.cfg_scale)
    quieten()
    try:
        export(arguments.source, arguments.output, options)
    except (Refusal, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

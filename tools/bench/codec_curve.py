"""What the codec's light decoder costs at every share: its gate beside chance, a rule of energy and an oracle, on speakers never heard.

    python bench/codec_curve.py ../models/speech --sounds DIR --lyra DIR -o curve

Writes curve.json, curve.svg and curve.md. Curves of choice are those of the networks in PyTorch, with every switch for nothing. Figures
of the program are of files that the built `lightswitch` wrote, a share being that of the heavy decoder's work with its warm-ups in it.
`--sounds` is what the model was trained on: one file a speaker, of whom every ninth was held out. `--lyra`: the folder of Lyra V2's
.tflite files, coded at 6 kbit/s by the same program.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import charts  # noqa: E402
from bench.codec_section import way, write_sound  # noqa: E402
from bench.document import Lines  # noqa: E402
from bench.program import BUILT, Program  # noqa: E402
from train.runs import write_atomically  # noqa: E402
from train.speech import model_file  # noqa: E402
from train.speech.gate import SHARES, curves, gains, of_files  # noqa: E402
from train.speech.sounds import read, speakers  # noqa: E402

LIGHT_SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
LYRA_BITRATE = 6000
FIGURES = ("log-mel", "stoi", "si-snr", "segmental-snr")


@dataclass(frozen=True)
class Speech:
    """Recordings, through the program and back."""

    program: Program
    originals: Path
    scratch: Path

    def coded(self, model: Path, name: str, encode: list, decode: list) -> dict:
        """Mean figures, and what was decoded per second of sound."""
        folder = self.scratch / name
        folder.mkdir()
        milliseconds, light, macs = [], [], []
        for file in sorted(self.originals.iterdir()):
            stream = self.scratch / "stream.lsc"
            seconds = self.program.report("codec", "encode", file, "-m", model, *encode, "-o", stream)["seconds"]
            report = self.program.report("codec", "decode", stream, "-m", model, *decode, "-o", folder / file.name)
            milliseconds.append(report["ms"] / seconds)
            if "routing" in report:
                light.append(report["routing"]["light_share"])
                macs.append(report["routing"]["macs"] / seconds / 1e6)
        metrics = self.program.report("metrics", folder, self.originals)["metrics"]
        found = {figure: round(metrics[figure]["mean"], 4) for figure in FIGURES}
        found["ms_a_second"] = round(statistics.median(milliseconds), 3)
        if light:
            found |= {"light_frames": round(statistics.mean(light), 3), "mmac_a_second": round(statistics.mean(macs), 2)}
        return found


def table(result: dict) -> str:
    head = ["", "light frames", "log-mel", "over all heavy", "STOI", "SI-SNR dB", "segmental SNR dB", "MMAC a second", "ms a second"]
    heavy = result["program"]["0.0"]

    def row(name: str, one: dict, whole: bool) -> list[str]:
        share = f"{one['light_frames']:.0%}" if "light_frames" in one else "–"
        more = f"{one['log-mel'] / heavy['log-mel'] - 1:+.0%}" if whole else "–"
        figures = [f"{one[name]:.3f}" for name in FIGURES]
        macs = f"{one['mmac_a_second']:.1f}" if "mmac_a_second" in one else "–"
        return [name, share, figures[0], more, *figures[1:], macs, f"{one['ms_a_second']:.2f}"]

    rows = [row(f"light share {float(share):.0%}", one, True) for share, one in result["program"].items()]
    if "lyra" in result:
        rows.append(row(f"Lyra V2, {LYRA_BITRATE / 1000:g} kbit/s", result["lyra"], False))
    lines = ["| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows]]
    choice = result["choice"]
    lines += ["", "| light share | gate | oracle | energy | random | the gate's share of the oracle's gain |", "|---" * 6 + "|"]
    for place, share in enumerate(SHARES):
        gain = choice["gain"][place]
        rules = [f"{choice[rule][place]:.4f}" for rule in ("gate", "oracle", "energy", "random")]
        lines.append("| " + " | ".join([f"{share:.0%}", *rules, "–" if gain is None else f"{gain:.0%}"]) + " |")
    return "\n".join(lines) + "\n"


def drawn(result: dict) -> str:
    choice = result["choice"]
    rules = ("gate", "oracle", "energy", "random")
    curves_of_choice = {rule: [(100 * share, value) for share, value in zip(SHARES, choice[rule])] for rule in rules}
    return charts.drawn(Lines("Codec: who chooses the light frames", "light frames, %", "log-mel distance", curves_of_choice))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder with model.safetensors")
    parser.add_argument("-o", "--output", type=Path, required=True, help="name of the results without extension")
    parser.add_argument("--sounds", type=Path, required=True)
    parser.add_argument("--lyra", type=Path)
    parser.add_argument("--program", type=Path, default=BUILT)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = model_file.read(options.model / model_file.NAME)
    files = speakers(options.sounds)[1]
    parts = of_files(model.codec, model.light, files)
    choice = curves(parts, model.gate)
    result = {"speakers": len(files), "shares": SHARES, "choice": choice | {"gain": gains(choice)}}
    with tempfile.TemporaryDirectory() as folder:
        originals = Path(folder, "originals")
        originals.mkdir()
        for file in files:
            write_sound(read(file), originals / f"{file.stem}.wav")
        speech = Speech(Program(options.program, options.threads), originals, Path(folder))
        result["program"] = {str(share): speech.coded(options.model, f"light-{share}", [], way(share)) for share in LIGHT_SHARES}
        if options.lyra:
            result["lyra"] = speech.coded(options.lyra, "lyra", ["--bitrate", LYRA_BITRATE], [])
    texts = {".json": json.dumps(result, indent=1) + "\n", ".svg": drawn(result), ".md": table(result)}
    for suffix, text in texts.items():
        write_atomically(options.output.with_suffix(suffix), lambda path: path.write_text(text))
    print(texts[".md"])


if __name__ == "__main__":
    main()

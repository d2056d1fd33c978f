"""Our decoders beside their peers: same weights, same latents, same machine, paired rounds (`python -m bench peers`).

Every contender's pictures are compared with eager fp32's before anything is timed. Each round measures all contenders forwards and
backwards (ABBA); a ratio is the peer's time over ours in the same dtype. With --frames the decoders are those of clips. Contenders
share one machine and run in turn; --clock cpu counts processor time, for a machine that is busy with other work, one thread alone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_PROC_BIND", "true")  # or two threads may share a core for a whole run

import torch

from bench import CORES, machine, markdown, rounds
from bench.agreement import LEAST_DB, WrongAnswer, decibels
from bench.cases import CLIP_DECODERS, DECODERS, Case
from bench.contender import Contender
from bench.contenders import DTYPES, PEERS, Ours, OursInt8, Unavailable
from bench.peer_runs import EQUAL, table_of
from bench.program import BUILT, Program, ProgramFailed
from bench.timing import timed
from train.runs import write_atomically

PEERS_LEAST_DB = {"fp32": 60, "bf16": 30}  # ours must be better than it has to be
INT8_LEAST_DB = 25  # of random weights, which eight bits suit less than trained ones (models/scenes: 47 dB and more)


def gather(
    case: Case, options: argparse.Namespace, program: Program, folder: Path
) -> tuple[dict[str, Contender], dict[str, float], dict[str, str]]:
    """Who takes part, at what PSNR, and why the others do not."""
    expected = PEERS["eager"](case, "fp32", options.threads).pictures()
    there, quality, absent = {}, {}, {}
    if options.int8:
        there["ours-int8"] = OursInt8(case, program, folder)
        quality["ours-int8"] = found = decibels(there["ours-int8"].pictures(), expected)
        if found < INT8_LEAST_DB:
            raise WrongAnswer(f"{case.name}, ours-int8: wrong answer: {found:.1f} dB against eager fp32, at least {INT8_LEAST_DB} wanted")
    for peer in ["ours", *(options.peer or PEERS)]:
        for dtype in options.dtype or DTYPES:
            name = f"{peer}-{dtype}"
            try:
                one = (Ours(case, dtype, program, folder) if peer == "ours"
                       else PEERS[peer](case, dtype, options.threads))
                found = decibels(one.pictures(), expected)
            except Unavailable as reason:
                absent[name] = str(reason)
                continue
            except ProgramFailed:
                raise
            except Exception as error:  # whatever a peer's compiler throws at this network is its result
                absent[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:160] if str(error) else ''}"
                continue
            least = (LEAST_DB if peer == "ours" else PEERS_LEAST_DB)[dtype]
            if found < least:
                if peer == "ours":
                    raise WrongAnswer(f"{case.name}, {name}: wrong answer: {found:.1f} dB against eager fp32, at least {least} wanted")
                absent[name] = f"wrong answer: {found:.1f} dB against eager fp32, at least {least} wanted"
                continue
            there[name], quality[name] = one, found
    return there, quality, absent


def measure(case: Case, options: argparse.Namespace, program: Program, folder: Path) -> dict:
    there, quality, absent = gather(case, options, program, folder)
    figures = timed(there, options.clock, options.rounds)
    result = {"decoder": case.name, "width": case.size[0], "height": case.size[1], "frames": case.frames, "absent": absent,
              "contenders": {}}
    for name, times in figures.items():
        ours = figures.get(f"ours-{name.rpartition('-')[2]}")
        ratio = rounds.paired_ratio(times, ours) if ours else None
        result["contenders"][name] = one = {"ms": times, "psnr": min(quality[name], EQUAL),
                                            "ratio": vars(ratio) if ratio and not name.startswith("ours") else None}
        if "ours-int8" in figures and name.endswith("-bf16"):
            one["int8_ratio"] = vars(rounds.paired_ratio(times, figures["ours-int8"]))
    return result


def size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height or width)


def measure_all(options: argparse.Namespace, names: list[str], program: Program) -> None:
    run = {"kind": "peers", "machine": machine.facts(), "commands": [machine.command_line()], "threads": options.threads,
           "clock": options.clock, "results": []}
    for pixels in options.size or [(512, 512)]:
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                result = measure(Case(name, pixels, options.frames, Path(folder)), options, program, Path(folder))
            run["results"].append(result)
            print(markdown.table(table_of(result), []), flush=True)
            if options.json:  # after every decoder: a long run that is stopped leaves what it has
                write_atomically(options.json, lambda path: path.write_text(json.dumps(run, indent=1)))


def command(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decoder", action="append", choices=[*DECODERS, *CLIP_DECODERS])
    parser.add_argument("--size", type=size, action="append", metavar="N|WxH", help="pixels: the edge, or width and height (512)")
    parser.add_argument("--frames", type=int, default=0, help="decode clips of so many latents")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--dtype", action="append", choices=DTYPES)
    parser.add_argument("--peer", action="append", choices=PEERS)
    parser.add_argument("--int8", action="store_true", help="ours in eight bits too, calibrated on the same latents, beside bf16")
    parser.add_argument("--threads", type=int, default=len(CORES))
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    parser.add_argument("--program", type=Path, default=BUILT)
    parser.add_argument("--json", type=Path, help="where the run is kept, for `report` and `compare`")
    options = parser.parse_args(arguments)
    known = CLIP_DECODERS if options.frames else DECODERS
    if unknown := set(options.decoder or known) - set(known):
        parser.error(f"{', '.join(sorted(unknown))}: with --frames {', '.join(CLIP_DECODERS)}, without {', '.join(DECODERS)}")
    if options.int8 and options.frames:
        parser.error("--int8: of decoders of pictures")
    if options.clock == "cpu" and options.threads != 1:
        parser.error("--clock cpu counts one thread: add --threads 1")
    torch.set_num_threads(options.threads)
    try:
        measure_all(options, options.decoder or list(known), Program(options.program, options.threads))
    except (ProgramFailed, WrongAnswer) as reason:
        print(f"bench peers: {reason}", file=sys.stderr)
        return 1
    return 0

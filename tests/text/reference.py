"""What transformers' CLIPTokenizer makes of texts.

    python tests/text/reference.py fixtures              writes tests/fixtures/tokenizer (needs torch and transformers)
    python tests/text/reference.py digests BPE TSV       writes the digests there of CLIP's ids for a file of prompts
    python tests/text/reference.py sample SOURCE OUT     random texts and their ids, for the live comparison

BPE is CLIP's published merges file, plain or gzipped. SOURCE is that or a folder in the layout of diffusers.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import random
import sys
import tempfile
import unicodedata
from pathlib import Path
from typing import Any

from transformers import CLIPTokenizer

from texts import CHOSEN, MALFORMED, SENTENCES

TESTS = Path(__file__).resolve().parents[1]
FIXTURES = TESTS / "fixtures" / "tokenizer"
MAX_LENGTH = 24
CLIP_MERGES = 48894
START, END = "<|startoftext|>", "<|endoftext|>"


def described(content: str, **flags: bool) -> dict[str, Any]:
    token = {"content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    return {**token, **flags}


def configurations(entries: int) -> dict[str, dict[str, Any]]:
    """The files beside the vocabulary, as published packages have them. The last adds a token of its own."""
    roles = {"bos_token": described(START), "eos_token": described(END), "unk_token": described(END)}
    marked = {role: {"__type": "AddedToken", **token} for role, token in roles.items()}
    added = {
        "0": described("!", normalized=False, special=True),
        str(entries - 2): described(START, special=True),
        str(entries - 1): described(END, special=True),
        str(entries): described("<Cat-Toy>", special=False),
    }
    return {
        "plain": {},
        "stable diffusion 1": {
            "tokenizer_config.json": {**marked, "pad_token": END, "model_max_length": 77, "do_lower_case": True},
            "special_tokens_map.json": {**roles, "pad_token": END},
        },
        "stable diffusion 2": {
            "tokenizer_config.json": {**marked, "pad_token": END, "model_max_length": 77},
            "special_tokens_map.json": {**roles, "pad_token": "!"},
        },
        "added tokens": {
            "tokenizer_config.json": {"added_tokens_decoder": added, "pad_token": "!"},
            "special_tokens_map.json": {"pad_token": END},
        },
    }


def decoded(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("utf-8", "replace")


def outcome(tokenizer: CLIPTokenizer, texts: list[str | bytes]) -> list[dict[str, Any]]:
    def ids(text: str | bytes) -> dict[str, list[int]]:
        tokens = tokenizer(decoded(text), add_special_tokens=False)["input_ids"]
        padded = tokenizer(decoded(text), padding="max_length", truncation=True, max_length=MAX_LENGTH)["input_ids"]
        return {"tokens": tokens, "encoded": padded}

    named = [{"text": text} if isinstance(text, str) else {"bytes": text.hex()} for text in texts]
    return [{**name, **ids(text)} for name, text in zip(named, texts)]


def random_texts(count: int, seed: int) -> list[str | bytes]:
    """Letters, marks and special tokens in every order: what nobody would type and the reference still defines."""
    source = random.Random(seed)
    scalars = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    assigned = [chr(code) for code in scalars if unicodedata.category(chr(code)) not in ("Cn", "Co")]
    marks = [char for char in assigned if unicodedata.combining(char)]
    latin = [chr(code) for code in range(0xC0, 0x250)]
    awkward = list("\u0130\u03a3\u00df\u2126\u212b\u0344\ufb1d\u1100\u1161\u11a8\uac00")
    awkward += list("\u200d\ufe0f\U0001f468\u00a0\0\t\n")
    special = [START, END, END.upper(), "<|EndOfText|>", "!", "<Cat-Toy>", "<cat-toy>"]
    pools = [list("abcXYZ '!?<|>123stvmrld")] * 6 + [marks, marks, assigned, latin, awkward, special]
    texts: list[str | bytes] = []
    for number in range(count):
        text = "".join(source.choice(source.choice(pools)) for _ in range(source.randrange(1, 24)))
        encoded = bytearray(text.encode("utf-8"))
        if number % 4 == 0:  # one in four is damaged
            for _ in range(source.randrange(1, 5)):
                encoded[source.randrange(len(encoded))] = source.randrange(0x80, 0x100)
        texts.append(bytes(encoded))
    return texts


def byte_alphabet() -> list[str]:
    printing = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(byte) for byte in printing] + [chr(0x100 + place) for place in range(256 - len(printing))]


def clip_folder(merges_file: Path, folder: Path) -> Path:
    """CLIP's vocabulary in the layout of diffusers."""
    content = merges_file.read_bytes()
    content = gzip.decompress(content) if merges_file.suffix == ".gz" else content
    merges = content.decode("utf-8").split("\n")[1 : CLIP_MERGES + 1]
    alphabet = byte_alphabet()
    merged = [line.replace(" ", "") for line in merges]
    entries = [*alphabet, *(f"{char}</w>" for char in alphabet), *merged, START, END]
    (folder / "vocab.json").write_text(json.dumps({entry: place for place, entry in enumerate(entries)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    return folder


def digest(ids: list[int]) -> str:
    """64-bit FNV-1a over the ids as little-endian int64."""
    value = 0xCBF29CE484222325
    for byte in b"".join(token.to_bytes(8, "little") for token in ids):
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=None, separators=(",", ":")).replace("},{", "},\n{") + "\n")


def fixtures(_: argparse.Namespace) -> None:
    sys.path.insert(0, str(TESTS.parent / "tools"))
    from train.tokenizer import learn

    FIXTURES.mkdir(parents=True, exist_ok=True)
    small = learn(SENTENCES, size=2 * 256 + 240 + 2, max_length=MAX_LENGTH)
    small.save(FIXTURES)
    cases = []
    for name, files in configurations(len(small.vocabulary)).items():
        with tempfile.TemporaryDirectory() as folder:
            for file in ("vocab.json", "merges.txt"):
                (Path(folder) / file).write_bytes((FIXTURES / file).read_bytes())
            for file, content in files.items():
                (Path(folder) / file).write_text(json.dumps(content))
            tokenizer = CLIPTokenizer.from_pretrained(folder)
            texts = [*CHOSEN, *MALFORMED] if files else [*CHOSEN, *MALFORMED, *random_texts(150, seed=1)]
            cases.append({"name": name, "files": files, "texts": outcome(tokenizer, texts)})
    write_json(FIXTURES / "expected.json", {"max_length": MAX_LENGTH, "cases": cases})


def digests(options: argparse.Namespace) -> None:
    with options.prompts.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = CLIPTokenizer.from_pretrained(clip_folder(options.merges, Path(folder)))
        lines = [digest(tokenizer(row[0])["input_ids"]) for row in rows if row]
    (FIXTURES / "parti_prompts_clip.digests").write_text("\n".join(lines) + "\n")


def sample(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = options.source if options.source.is_dir() else clip_folder(options.source, Path(folder))
        texts = random_texts(options.count, options.seed)
        write_json(options.output, outcome(CLIPTokenizer.from_pretrained(source), texts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("fixtures").set_defaults(run=fixtures)
    command = commands.add_parser("digests")
    command.add_argument("merges", type=Path)
    command.add_argument("prompts", type=Path)
    command.set_defaults(run=digests)
    command = commands.add_parser("sample")
    command.add_argument("source", type=Path)
    command.add_argument("output", type=Path)
    command.add_argument("--count", type=int, default=4000)
    command.add_argument("--seed", type=int, default=7)
    command.set_defaults(run=sample)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()

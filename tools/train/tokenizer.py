"""A small byte-level BPE in CLIP's format, learned from the words of the scenes world."""

from __future__ import annotations

import argparse
import collections
import json
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from train.runs import CONFIGS, read_config, write_atomically


START, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
# CLIP's pattern; letters and digits are spelled out because `re` has no Unicode classes.
_PIECES = re.compile(
    re.escape(START) + "|" + re.escape(END) + r"|'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|(?:[^\s\w]|_)+"
)


def byte_alphabet() -> dict[int, str]:
    """A printable character for every byte: those that print stand for themselves, the others follow from U+0100."""
    printing = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = {byte: chr(byte) for byte in printing}
    for byte in range(256):
        letters.setdefault(byte, chr(256 + len(letters) - len(printing)))
    return letters


class Tokenizer:
    def __init__(self, vocabulary: dict[str, int], merges: list[tuple[str, str]], max_length: int) -> None:
        self.vocabulary = vocabulary
        self.merges = merges
        self.max_length = max_length
        self._rank = {pair: place for place, pair in enumerate(merges)}
        self._alphabet = byte_alphabet()
        self._cache: dict[str, list[int]] = {}

    @classmethod
    def load(cls, folder: Path, max_length: int) -> "Tokenizer":
        vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
        lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()
        merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
        return cls(vocabulary, merges, max_length)

    def save(self, folder: Path) -> None:
        vocabulary = json.dumps(self.vocabulary, ensure_ascii=False, indent=0) + "\n"
        merges = "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in self.merges)
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in (("vocab.json", vocabulary), ("merges.txt", merges)):
            write_atomically(folder / name, lambda path: path.write_text(text, encoding="utf-8"))

    def __call__(self, text: str) -> list[int]:
        """Ids of `max_length`, cut to fit: start, the text, end, and the end again as padding."""
        end = self.vocabulary[END]
        ids = [self.vocabulary[START], *self.encode(text)[: self.max_length - 2], end]
        return ids + [end] * (self.max_length - len(ids))

    def encode(self, text: str) -> list[int]:
        return [token for piece in pieces(text) for token in self._encode_piece(piece)]

    def _encode_piece(self, piece: str) -> list[int]:
        if piece in (START, END):
            return [self.vocabulary[piece]]
        if piece not in self._cache:
            symbols = [self._alphabet[byte] for byte in piece.encode("utf-8")]
            symbols[-1] += WORD_END
            self._cache[piece] = [self.vocabulary[symbol] for symbol in self._merged(symbols)]
        return self._cache[piece]

    def _merged(self, symbols: list[str]) -> list[str]:
        while len(symbols) > 1:
            pair = min(zip(symbols, symbols[1:]), key=lambda two: self._rank.get(two, len(self._rank)))
            if pair not in self._rank:
                break
            symbols = _join(symbols, pair)
        return symbols


def pieces(text: str) -> list[str]:
    return _PIECES.findall(re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).lower())


def _join(symbols: list[str], pair: tuple[str, str]) -> list[str]:
    joined, place = [], 0
    while place < len(symbols):
        if tuple(symbols[place : place + 2]) == pair:
            joined.append(pair[0] + pair[1])
            place += 2
        else:
            joined.append(symbols[place])
            place += 1
    return joined


def learn(captions: Iterable[str], size: int, max_length: int) -> Tokenizer:
    """Merges the most frequent pair until the vocabulary has `size` entries or every word is one token.

    Every byte is an entry, alone and at a word's end, so no text is ever unknown.
    """
    alphabet = byte_alphabet()
    counts = collections.Counter(piece for caption in captions for piece in pieces(caption))
    words = {}
    for word in counts:
        symbols = [alphabet[byte] for byte in word.encode("utf-8")]
        words[word] = [*symbols[:-1], symbols[-1] + WORD_END]
    base = [alphabet[byte] for byte in sorted(alphabet, key=lambda byte: alphabet[byte])]
    entries = base + [letter + WORD_END for letter in base]
    merges: list[tuple[str, str]] = []
    while len(entries) < size - 2:
        pairs: collections.Counter[tuple[str, str]] = collections.Counter()
        for word, symbols in words.items():
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += counts[word]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        entries.append(best[0] + best[1])
        words = {word: _join(symbols, best) for word, symbols in words.items()}
    entries += [START, END]
    return Tokenizer({entry: place for place, entry in enumerate(entries)}, merges, max_length)


def command(arguments: list[str]) -> None:
    """Learns the tokenizer of models/scenes from captions."""
    from train.prompts import caption_stream

    parser = argparse.ArgumentParser(prog="train scenes-tokenizer", description=command.__doc__)
    parser.add_argument("--config", default=CONFIGS / "scenes_text.json")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    config = read_config(options.config)["tokenizer"]
    stream = caption_stream(seed=config["seed"])
    captions = [next(stream)[0] for _ in range(config["captions"])]
    tokenizer = learn(captions, config["entries"], config["max_length"])
    tokenizer.save(options.output)
    longest = max(len(tokenizer.encode(caption)) + 2 for caption in captions)
    print(f"{options.output}: {len(tokenizer.vocabulary)} entries, longest of {len(captions)} captions {longest} tokens")

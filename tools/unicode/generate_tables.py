"""Writes the character tables of src/text.

    python tools/unicode/generate_tables.py

Needs the `tokenizers` package, which the reference tokenizer runs on. It mixes Unicode versions: 0.23 has classes of
16.0, lower case of 17.0 and normalisation of 9.0. Ids must equal the reference's, so what a character is comes from the
package itself, and Python's `unicodedata` only names the decompositions and combining classes to look for.
"""

from __future__ import annotations

import argparse
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

import tokenizers
from tokenizers import Regex, normalizers

WIDTH = 120
HANGUL_SYLLABLES = range(0xAC00, 0xAC00 + 11172)  # composed by arithmetic, not by table
SURROGATES = range(0xD800, 0xE000)
LIGHT_MARK, HEAVY_MARK = "\u0334", "\u0345"  # combining classes 1 and 240

nfc = normalizers.NFC().normalize_str
lower = normalizers.Lowercase().normalize_str

Row = tuple[int | str, ...]


def code_points() -> Iterator[int]:
    return (code for code in range(0x110000) if code not in SURROGATES)


def runs(values: Iterable[tuple[int, int | str]]) -> Iterator[tuple[int, int, int | str]]:
    """(first, last, value) for neighbours that share a value."""
    first = last = value = None
    for code, new in values:
        if last is not None and code == last + 1 and new == value:
            last = code
            continue
        if last is not None:
            yield first, last, value
        first, last, value = code, code, new
    if last is not None:
        yield first, last, value


def classes() -> list[Row]:
    patterns = {"L": r"\p{L}", "N": r"\p{N}", "Z": r"\s"}
    removers = {name: normalizers.Replace(Regex(pattern), "").normalize_str for name, pattern in patterns.items()}

    def kind(code: int) -> str | None:
        return next((name for name, remove in removers.items() if not remove(chr(code))), None)

    return list(runs((code, name) for code in code_points() if (name := kind(code))))


def lowercase() -> list[Row]:
    """(first, last, step, distance): every step-th character of the range has its small letter at that distance."""
    pairs = [(code, lower(chr(code))) for code in code_points()]
    longer = {code: text for code, text in pairs if len(text) > 1}
    if longer != {0x130: "i\u0307"}:
        raise SystemExit(f"U+0130 alone is handled as a lower case of two characters, found {longer}")
    rows: list[list[int]] = []
    for code, text in pairs:
        distance = ord(text[0]) - code
        if distance == 0 or code in longer:
            continue
        if rows and rows[-1][3] == distance:
            first, last, step, _ = rows[-1]
            gap = code - last
            if gap in (1, 2) and (first == last or gap == step):
                rows[-1] = [first, code, gap, distance]
                continue
        rows.append([code, code, 1, distance])
    return [tuple(row) for row in rows]


def combining_classes() -> list[Row]:
    def rank(code: int) -> int:
        """0 for marks that the reference does not put into order, being older than they are."""
        mark, value = chr(code), unicodedata.combining(chr(code))
        moves = nfc(mark + LIGHT_MARK) != mark + LIGHT_MARK or nfc(HEAVY_MARK + mark) != HEAVY_MARK + mark
        return value if value and moves else 0

    return list(runs((code, value) for code in code_points() if (value := rank(code))))


def decompositions() -> tuple[list[Row], list[Row], list[Row]]:
    """Singletons (code, other), pairs (code, first, second), and places of pairs that compose, sorted by halves."""
    singletons, pairs, composing = [], [], []
    for code in code_points():
        mapping = unicodedata.decomposition(chr(code))
        if not mapping or mapping.startswith("<") or code in HANGUL_SYLLABLES:
            continue
        parts = [int(part, 16) for part in mapping.split()]
        composes = nfc("".join(map(chr, parts))) == chr(code)
        if not composes and nfc(chr(code)) == chr(code):
            continue  # younger than the reference
        if composes:
            composing.append((len(pairs),))
        (singletons if len(parts) == 1 else pairs).append((code, *parts))
    return singletons, pairs, sorted(composing, key=lambda place: pairs[place[0]][1:])


def table(name: str, element: str, rows: list[Row]) -> str:
    def item(value: int | str) -> str:
        return value if isinstance(value, str) else str(value) if value < 10 else f"0x{value:X}"

    lines, line = [], "   "
    for row in rows:
        cell = item(row[0]) if len(row) == 1 else "{" + ",".join(item(value) for value in row) + "}"
        if len(line) + len(cell) + 2 > WIDTH:
            lines.append(line)
            line = "   "
        line += f" {cell},"
    return f"constexpr {element} {name}[] = {{\n" + "\n".join([*lines, line]) + "\n};\n"


def write(path: Path, tables: list[str]) -> None:
    source = f"// As tokenizers {tokenizers.__version__} has it. Written by tools/unicode/generate_tables.py.\n"
    head = source + "// clang-format off\n"
    path.write_text(head + "\n".join(tables) + "// clang-format on\n", encoding="ascii")


def main() -> None:
    default = Path(__file__).resolve().parents[2] / "src" / "text"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=default, help="where the files go (default: src/text)")
    folder = parser.parse_args().output
    write(
        folder / "character_tables.inc",
        [table("kClassRanges", "ClassRange", classes()), table("kLowercaseRuns", "LowercaseRun", lowercase())],
    )
    singletons, pairs, composing = decompositions()
    write(
        folder / "normalization_tables.inc",
        [
            table("kCombiningRanges", "CombiningRange", combining_classes()),
            table("kSingletons", "Singleton", singletons),
            table("kPairs", "Pair", pairs),
            table("kComposingPairs", "uint16_t", composing),
        ],
    )


if __name__ == "__main__":
    main()

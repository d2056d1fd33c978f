"""A document as Markdown, whose tables can be pasted into a README."""

from __future__ import annotations

from bench.document import Document, Section, Table


def escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def table(one: Table, source: list[str]) -> str:
    row = lambda cells: "| " + " | ".join(escaped(cell) for cell in cells) + " |"  # noqa: E731
    lines = [f"**{one.title}**", "", row(one.columns), "|" + "---|" * len(one.columns), *map(row, one.rows), ""]
    return "\n".join(lines + [*one.notes, *source]) + "\n"


def section(one: Section) -> str:
    return "\n".join([f"## {one.title}", "", *(f"{text}\n" for text in one.text), *(table(each, one.source) for each in one.tables)])


def document(one: Document) -> str:
    return "\n".join([f"# {one.title}", "", *map(section, one.sections)])

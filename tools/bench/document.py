"""What was found, as sections of tables and charts that know nothing of a page. A run is kept as the JSON of its document."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field

KIND = "document"
MISSING = "–"


class BadRun(Exception):
    """A file that is no run: which, what was expected, what was found."""


@dataclass
class Table:
    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.title}: {len(self.columns)} cells expected, found {len(row)}: {row}")


@dataclass
class Bars:
    """A figure for each name."""

    title: str
    axis: str
    values: list[tuple[str, float]]


@dataclass
class Points:
    """What is paid (x, above 0, drawn by its magnitude) and what is got for it (y)."""

    title: str
    x: str
    y: str
    more_is_better: bool
    points: list[tuple[str, float, float]]


@dataclass
class Lines:
    """Curves over one axis: name -> [(x, y)]."""

    title: str
    x: str
    y: str
    curves: dict[str, list[tuple[float, float]]]


Chart = Bars | Points | Lines
CHARTS = {kind.__name__: kind for kind in (Bars, Points, Lines)}


@dataclass
class Section:
    title: str
    source: list[str]
    """Where and how it was measured: machine, commit, commands. Stands under every table."""
    text: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)


@dataclass
class Document:
    title: str
    sections: list[Section]

    def to_json(self) -> dict:
        plain = dataclasses.asdict(self)
        for section, written in zip(self.sections, plain["sections"]):
            for chart, one in zip(section.charts, written["charts"]):
                one["kind"] = type(chart).__name__
        return {"kind": KIND} | plain


def chart_of(fields: dict) -> Chart:
    fields = dict(fields)
    return CHARTS[fields.pop("kind")](**fields)


def sections_of(run: dict) -> Iterator[Section]:
    """@throws KeyError, TypeError, ValueError, AttributeError for another form."""
    for one in run["sections"]:
        yield Section(
            one["title"],
            one["source"],
            one["text"],
            [Table(**table) for table in one["tables"]],
            [chart_of(chart) for chart in one["charts"]],
        )


def number(value: float | None, digits: str = ".3g") -> str:
    """For a cell. Three significant digits, large numbers whole."""
    if value is None:
        return MISSING
    return f"{value:.0f}" if digits == ".3g" and abs(value) >= 100 else format(value, digits)


def by(above: float | None, below: float | None) -> float | None:
    """A ratio, where both figures are there."""
    return above / below if above is not None and below else None


def times(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f}x"

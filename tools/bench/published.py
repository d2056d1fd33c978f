"""What the two papers report, and ours beside it."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.document import MISSING, Table, number, times

PAPER1, PAPER2 = "arXiv 2503.04871", "arXiv 2404.04405"


@dataclass(frozen=True)
class Pair:
    """A full and a light decoder by one figure. Of a cost the ratio says how much less the light one takes, of a quality by what
    factor its figure differs.
    """

    full: float | None
    light: float | None
    cost: bool = True

    def ratio(self) -> float | None:
        if not self.full or not self.light:
            return None
        return self.full / self.light if self.cost else self.light / self.full

    def __str__(self) -> str:
        return f"{number(self.full)} → {number(self.light)}"


MS_256 = Pair(10.0, 4.7)
MS_8_FRAMES = Pair(21.69, 7.71)
SSIM_256 = Pair(0.7656, 0.7034, cost=False)
FRECHET_256 = Pair(2.23, 21.48, cost=False)
FRECHET_1024 = Pair(1.10, 2.48, cost=False)
LEAST_MEMORY = Pair(180, 30)  # MB, at least and at most
SUB_MODULE = 20.0  # up to so many times faster
END_TO_END = 0.15  # up to so much of the whole saved

LIGHT_SHARE = 0.8  # up to so many samples
MACS_OF_A_SAMPLE = 12.3
PARAMETERS_OF_A_SAMPLE = 20.9
MEAN_MACS = 1 / (1 - LIGHT_SHARE + LIGHT_SHARE / MACS_OF_A_SAMPLE)  # which it does not print
LATENCY_SAVED = 0.265

COLUMNS = ["figure", "paper: full → light", "paper's ratio", "ours", "ours: full → light", "our ratio", "our ratio by the paper's"]


@dataclass
class Claims:
    """Rows that put ours beside a paper's."""

    rows: list[list[str]] = field(default_factory=list)

    def add(self, figure: str, paper: Pair, who: str, ours: Pair) -> None:
        self.add_ratio(figure, str(paper), paper.ratio(), who, str(ours), ours.ratio())

    def add_ratio(self, figure: str, paper: str, papers_ratio: float | None, who: str, ours: str, our_ratio: float | None) -> None:
        both = our_ratio / papers_ratio if our_ratio is not None and papers_ratio else None
        self.rows.append([figure, paper, times(papers_ratio), who, ours, times(our_ratio), number(both, ".2f")])

    def missing(self, figure: str, paper: Pair, who: str, why: str) -> None:
        self.rows.append([figure, str(paper), times(paper.ratio()), who, why, MISSING, MISSING])

    def table(self, title: str, notes: list[str]) -> Table:
        return Table(title, COLUMNS, self.rows, notes)

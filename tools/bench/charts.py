"""Charts as SVG elements that need nothing else: no script, no font, no network."""

from __future__ import annotations

import html
from collections.abc import Sequence

from bench.axis import Axis, linear, logarithmic, written
from bench.document import Bars, Chart, Lines, Points

COLOURS = ("#2563eb", "#c2410c", "#15803d", "#7c3aed", "#be185d", "#0e7490", "#a16207", "#4b5563")
WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 30, 44
ROW, LETTER = 20, 6.6  # pixels of a bar's row, of a letter
FAR_APART = 20  # figures that differ by more are drawn by their magnitude


def words(x: float, y: float, text: str, anchor: str = "start", more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{html.escape(text)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str = "#ddd") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'role="img" font-family="sans-serif" font-size="12" fill="#1b1b1b">'
    )
    body = [f"<title>{html.escape(title)}</title>", words(8, 16, title, more=' font-weight="bold"'), *parts]
    return "\n".join([head, *body, "</svg>\n"])


def grid(x: Axis, y: Axis, x_name: str, y_name: str) -> list[str]:
    parts = []
    for value in x.ticks():
        parts += [line(x.at(value), y.start, x.at(value), y.end), words(x.at(value), y.start + 16, written(value), "middle")]
    for value in y.ticks():
        parts += [line(x.start, y.at(value), x.end, y.at(value)), words(x.start - 6, y.at(value) + 4, written(value), "end")]
    turned = f' transform="rotate(-90 14 {(y.start + y.end) / 2:.0f})"'
    return [
        *parts,
        words((x.start + x.end) / 2, y.start + 34, x_name, "middle"),
        words(14, (y.start + y.end) / 2, y_name, "middle", turned),
    ]


def bars(chart: Bars) -> str:
    values = [value for _, value in chart.values]
    left = 16 + LETTER * max(len(name) for name, _ in chart.values)
    width, bottom = left + 460, TOP + ROW * len(values)
    apart = min(values) > 0 and max(values) / min(values) > FAR_APART
    x = logarithmic(values, left, width - 72) if apart else Axis(0, max(values) or 1, left, width - 72)
    parts = []
    for value in x.ticks():
        parts += [line(x.at(value), TOP, x.at(value), bottom), words(x.at(value), bottom + 16, written(value), "middle")]
    for row, (name, value) in enumerate(chart.values):
        y, end = TOP + ROW * row + ROW / 2, x.at(value)
        parts.append(words(left - 8, y + 4, name, "end"))
        if apart:  # the length of a bar would say nothing
            parts += [line(left, y, end, y, "#bbb"), f'<circle cx="{end:.1f}" cy="{y}" r="4" fill="{COLOURS[0]}"/>']
        else:
            parts.append(f'<rect x="{left:.1f}" y="{y - 6}" width="{max(end - left, 0):.1f}" height="12" rx="2" fill="{COLOURS[0]}"/>')
        parts.append(words(end + 8, y + 4, written(float(f"{value:.3g}"))))
    parts.append(words((x.start + x.end) / 2, bottom + 34, chart.axis, "middle"))
    return svg(width, bottom + BOTTOM, chart.title, parts)


def front(chart: Points) -> list[tuple[str, float, float]]:
    """The points that no other beats in both ways, cheapest first."""
    found: list[tuple[str, float, float]] = []
    sign = 1 if chart.more_is_better else -1
    for point in sorted(chart.points, key=lambda one: (one[1], -sign * one[2])):
        if not found or sign * point[2] > sign * found[-1][2]:
            found.append(point)
    return found


def points(chart: Points) -> str:
    x = logarithmic([point[1] for point in chart.points], LEFT, WIDTH - RIGHT)
    y = linear([point[2] for point in chart.points], HEIGHT - BOTTOM, TOP)
    best = front(chart)
    path = " ".join(f"{x.at(cost):.1f},{y.at(value):.1f}" for _, cost, value in best)
    parts = grid(x, y, chart.x, chart.y + (" (more is better)" if chart.more_is_better else " (less is better)"))
    parts.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[1]}" stroke-dasharray="5 4"/>')
    taken: list[tuple[float, float]] = []
    for point in chart.points:
        name, across, down = point[0], x.at(point[1]), y.at(point[2])
        colour = COLOURS[1] if point in best else COLOURS[7]
        parts.append(f'<circle cx="{across:.1f}" cy="{down:.1f}" r="4.5" fill="{colour}"/>')
        room = LETTER * len(name)
        to_the_left = across + 10 + room > WIDTH
        label = down + 4
        while any(abs(label - other) < 13 and abs(across - beside) < room + 20 for beside, other in taken):
            label += 13 if label < HEIGHT - BOTTOM - 14 else -40
        taken.append((across, label))
        parts.append(words(across - 8 if to_the_left else across + 8, label, name, "end" if to_the_left else "start"))
    return svg(WIDTH, HEIGHT, chart.title, parts)


def lines(chart: Lines) -> str:
    every = [point for curve in chart.curves.values() for point in curve]
    x = linear([point[0] for point in every], LEFT, WIDTH - RIGHT)
    y = linear([point[1] for point in every], HEIGHT - BOTTOM, TOP + 20)
    parts, place = grid(x, y, chart.x, chart.y), LEFT + 8.0
    for number, (name, curve) in enumerate(chart.curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x.at(across):.1f},{y.at(value):.1f}" for across, value in curve)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x.at(across):.1f}" cy="{y.at(value):.1f}" r="3" fill="{colour}"/>' for across, value in curve]
        parts.append(words(place, TOP + 8, name, more=f' fill="{colour}" font-weight="bold"'))
        place += LETTER * len(name) + 24
    return svg(WIDTH, HEIGHT, chart.title, parts)


def drawn(chart: Chart) -> str:
    return {Bars: bars, Points: points, Lines: lines}[type(chart)](chart)

"""A document as one HTML page that needs no other file, and the folder that holds it with its Markdown and JSON."""

from __future__ import annotations

import html
import json
from pathlib import Path

from bench import charts, markdown
from bench.document import Document, Section, Table
from train.runs import write_atomically

STYLE = """
body { font: 15px/1.5 sans-serif; color: #1b1b1b; max-width: 1180px; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: bold; padding: .4em 0; }
th, td { border-bottom: 1px solid #ddd; padding: .25em .8em .25em 0; text-align: left; vertical-align: top; }
.wide { overflow-x: auto; }
.source { color: #555; font-size: 13px; margin: .3em 0 1.6em; }
figure { display: inline-block; margin: 0 1em 1.4em 0; }
code { background: #f3f3f3; }
"""


def table(one: Table, source: list[str]) -> str:
    cells = lambda tag, texts: "<tr>" + "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts) + "</tr>"  # noqa: E731
    rows = "\n".join(cells("td", row) for row in one.rows)
    below = "<br>\n".join(html.escape(line) for line in [*one.notes, *source])
    return (
        f'<div class="wide"><table><caption>{html.escape(one.title)}</caption>\n{cells("th", one.columns)}\n{rows}\n</table></div>\n'
        f'<p class="source">{below}</p>'
    )


def section(one: Section, number: int) -> str:
    figures = "\n".join(f"<figure>{charts.drawn(chart)}</figure>" for chart in one.charts)
    text = "\n".join(f"<p>{html.escape(line)}</p>" for line in one.text)
    return "\n".join(
        [f'<h2 id="s{number}">{html.escape(one.title)}</h2>', text, *(table(each, one.source) for each in one.tables), figures]
    )


def document(one: Document) -> str:
    contents = "\n".join(f'<li><a href="#s{number}">{html.escape(each.title)}</a></li>' for number, each in enumerate(one.sections))
    body = "\n".join(section(each, number) for number, each in enumerate(one.sections))
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{html.escape(one.title)}</title>\n<style>{STYLE}</style>\n'
        f"<h1>{html.escape(one.title)}</h1>\n<ul>{contents}</ul>\n{body}\n</html>\n"
    )


def publish(one: Document, folder: Path) -> None:
    """index.html, tables.md and run.json, each complete or not there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("run.json", json.dumps(one.to_json(), indent=1) + "\n"),
        ("tables.md", markdown.document(one)),
        ("index.html", document(one)),
    ):
        write_atomically(folder / name, lambda path: path.write_text(text))

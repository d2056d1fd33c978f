from __future__ import annotations

import contextlib
import io
import json
import tempfile
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

from bench import charts, markdown, page
from bench.axis import linear, logarithmic
from bench.document import Bars, Document, Lines, Points, Section, Table
from bench.report import command

MACHINE = {"processor": "A & B", "cores": 2, "instructions": ["avx2"], "load": 0.5, "commit": "abc1234", "date": "2026-01-01 00:00"}


def aggregate(name: str, kind: str, ms: float, **counters: float) -> dict:
    return {
        "name": f"{name}_{kind}",
        "run_name": name,
        "run_type": "aggregate",
        "aggregate_name": kind,
        "real_time": ms,
        "cpu_time": ms / 2,
        "time_unit": "ms",
        "iterations": 5,
    } | counters


def binary_run() -> dict:
    name = "decode/kl/256/bf16/iterations:1/process_time/real_time"
    once = {"name": "load/fp32", "run_name": "load/fp32", "run_type": "iteration", "cpu_time": 1, "time_unit": "us"}
    failed = {"name": "bad", "run_name": "bad", "run_type": "iteration", "error_occurred": True, "error_message": "wrong answer"}
    return {
        "context": {"executable": "/somewhere/bench_decoders", "num_cpus": 2, "date": "today", "threads": "1"},
        "machine": MACHINE,
        "commands": ["bench_decoders"],
        "skipped": {"decode/kl/1024/bf16": "out of time"},
        "benchmarks": [
            aggregate(name, "mean", 9.0, peak_MiB=1),
            aggregate(name, "median", 12.5, peak_MiB=64),
            aggregate(name, "cv", 0.02),
            once | {"real_time": 1000},
            once | {"real_time": 3000},
            failed,
        ],
    }


def peers_run() -> dict:
    ours = {"ms": [10.0, 9.0], "psnr": 50.0, "ratio": None}
    eager = {"ms": [20.0, 19.0], "psnr": 999.0, "ratio": {"median": 2.0, "low": 1.9, "high": 2.1}}
    return {
        "kind": "peers",
        "machine": MACHINE,
        "threads": 1,
        "clock": "cpu",
        "results": [
            {
                "decoder": "kl",
                "width": 64,
                "height": 32,
                "frames": 0,
                "absent": {"openvino-fp32": "not installed"},
                "contenders": {"ours-bf16": ours, "eager-bf16": eager},
            }
        ],
    }


class Report(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def report(self, *runs: object) -> tuple[int, str]:
        files = []
        for number, run in enumerate(runs):
            file = self.folder / f"{number}.json"
            file.write_text(run if isinstance(run, str) else json.dumps(run))
            files.append(str(file))
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            return command([*files, "-o", str(self.folder / "out")]), out.getvalue()

    def written(self, name: str) -> str:
        return (self.folder / "out" / name).read_text()

    def test_a_binary_and_peers_become_tables(self) -> None:
        self.assertEqual(self.report(binary_run(), peers_run())[0], 0)
        text = self.written("tables.md")
        self.assertIn("| decode/kl/256/bf16 | 12.5 | 6.25 | 2.0 | 64 |", text)  # the median, not the mean
        self.assertIn("| load/fp32 | 2 | 0.001 | 70.7 | – |", text)
        self.assertIn("| bad | not timed: wrong answer |", text)
        self.assertIn("decode/kl/1024/bf16 (out of time)", text)
        self.assertIn("| eager-bf16 | 19.0 | 2.00 (1.90 … 2.10) | equal |", text)
        self.assertIn("| openvino-fp32 | not timed: not installed |", text)
        for line in ("A & B; cores: 2; avx2; load at the start: 0.5; commit abc1234; 2026-01-01 00:00", "bench_decoders"):
            self.assertIn(line, text)

    def test_the_page_needs_nothing_else(self) -> None:
        self.report(binary_run(), peers_run())
        text = self.written("index.html")
        self.assertIn("A &amp; B", text)
        self.assertEqual(text.count("<svg"), 3)
        for outside in ("src=", "@import", "url(", "<script", "<link"):
            self.assertNotIn(outside, text)
        self.assertEqual({path.name for path in (self.folder / "out").iterdir()}, {"index.html", "tables.md", "run.json"})

    def test_a_report_is_a_run_again(self) -> None:
        self.report(binary_run(), peers_run())
        first, page_of_first = self.written("run.json"), self.written("index.html")
        self.assertEqual(self.report(first)[0], 0)
        self.assertEqual(self.written("index.html"), page_of_first)

    def test_what_is_no_run_is_named(self) -> None:
        without_time = binary_run()
        del without_time["benchmarks"][1]["real_time"]
        short_row = Document("t", [Section("s", [], tables=[Table("x", ["a"], [["1"]])])]).to_json()
        short_row["sections"][0]["tables"][0]["rows"] = [["1", "2"]]
        for bad, says in (
            ("{", "JSON expected"),
            ("[]", "not a complete run"),
            ({}, "expected"),
            ({"kind": "peers"}, "clock"),
            (without_time, "real_time"),
            (short_row, "1 cells expected, found 2"),
        ):
            code, text = self.report(bad)
            self.assertEqual(code, 1, text)
            self.assertIn(says, text)
            self.assertIn("0.json", text)
        self.assertFalse((self.folder / "out").exists())
        out = io.StringIO()
        with contextlib.redirect_stderr(out):
            self.assertEqual(command([str(self.folder / "none.json"), "-o", str(self.folder / "out")]), 1)
        self.assertIn("none.json: a run expected, found none", out.getvalue())


class Charts(unittest.TestCase):
    def parsed(self, chart) -> xml.Element:
        return xml.fromstring(charts.drawn(chart))

    def texts(self, root: xml.Element) -> list[str]:
        return [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]

    def test_the_front_holds_what_nothing_beats(self) -> None:
        chart = Points("t", "ms", "dB", True, [("slow", 9, 30), ("bad", 5, 20), ("fast", 1, 25), ("dear", 10, 29), ("same", 1, 24)])
        self.assertEqual([name for name, _, _ in charts.front(chart)], ["fast", "slow"])
        chart.more_is_better = False
        self.assertEqual([name for name, _, _ in charts.front(chart)], ["same", "bad"])

    def test_every_point_is_named_and_inside(self) -> None:
        root = self.parsed(Points("t", "ms", "dB", True, [(f"a<{i}>", 10.0**i, 30 + i % 2) for i in range(4)]))
        for i in range(4):
            self.assertIn(f"a<{i}>", self.texts(root))
        circles = list(root.iter("{http://www.w3.org/2000/svg}circle"))
        self.assertEqual(len(circles), 4)
        self.assertTrue(
            all(charts.LEFT <= float(one.get("cx")) <= charts.WIDTH and 0 <= float(one.get("cy")) <= charts.HEIGHT for one in circles)
        )

    def test_bars_are_as_long_as_their_figures(self) -> None:
        widths = [
            float(one.get("width")) for one in self.parsed(Bars("t", "ms", [("a", 2), ("b", 1)])).iter("{http://www.w3.org/2000/svg}rect")
        ]
        self.assertAlmostEqual(widths[0], 2 * widths[1], delta=0.2)

    def test_figures_far_apart_are_dots(self) -> None:
        root = self.parsed(Bars("t", "ms", [("a", 1000), ("b", 1)]))
        self.assertEqual(len(list(root.iter("{http://www.w3.org/2000/svg}circle"))), 2)

    def test_one_figure_alone_is_drawn(self) -> None:
        for chart in (Bars("t", "ms", [("a", 0)]), Points("t", "ms", "dB", True, [("a", 5, 5)]), Lines("t", "x", "y", {"a": [(1, 1)]})):
            self.assertIn("t", self.texts(self.parsed(chart)))

    def test_axes_end_on_round_numbers(self) -> None:
        self.assertEqual(linear([0.31, 0.98], 0, 100).ticks(), [0.2, 0.4, 0.6000000000000001, 0.8, 1.0])
        axis = logarithmic([1, 100], 0, 100)
        self.assertEqual(axis.ticks(), [1, 2, 5, 10, 20, 50, 100])
        self.assertAlmostEqual(axis.at(10), 50)
        self.assertEqual(logarithmic([150, 180], 0, 100).ticks(), [150, 200])


class Markdown(unittest.TestCase):
    def test_a_bar_in_a_cell_is_no_border(self) -> None:
        text = markdown.table(Table("t", ["a|b"], [["x\ny"]], ["note"]), ["source"])
        self.assertEqual(text, "**t**\n\n| a\\|b |\n|---|\n| x y |\n\nnote\nsource\n")

    def test_a_page_escapes(self) -> None:
        self.assertIn("&lt;b&gt;", page.document(Document("<b>", [])))


if __name__ == "__main__":
    unittest.main()

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

from bench.compare import command

FAST = [10.0, 10.1, 10.2, 10.0, 10.1, 10.2]
SLOW = [value * 1.1 for value in FAST]


def benchmarks(times: dict[str, list[float]]) -> dict:
    return {"benchmarks": [{"name": name, "run_name": name, "run_type": "iteration", "real_time": time}
                           for name, all_times in times.items() for time in all_times]}  # fmt: skip


class Compare(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def judge(self, a: object, b: object, *more: str) -> tuple[int, str]:
        files = []
        for name, run in (("a.json", a), ("b.json", b)):
            (self.folder / name).write_text(run if isinstance(run, str) else json.dumps(run))
            files.append(str(self.folder / name))
        return self.call(*files, *more)

    def call(self, *arguments: str) -> tuple[int, str]:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            return command(list(arguments)), out.getvalue()

    def build(self, name: str, ms: float) -> str:
        """A build whose benchmark binary always takes `ms`."""
        program = self.folder / name / "bin" / "bench_decoders"
        program.parent.mkdir(parents=True)
        run = json.dumps(benchmarks({"x": [ms]}))
        program.write_text(f"#!/bin/sh\nfor a; do case $a in --benchmark_out=*) cat > \"${{a#*=}}\" <<'END'\n{run}\nEND\n;; esac; done\n")
        program.chmod(0o755)
        return str(self.folder / name)

    def test_slower_is_1_and_faster_is_0(self) -> None:
        self.assertEqual(self.judge(benchmarks({"x": FAST}), benchmarks({"x": SLOW}))[0], 1)
        self.assertEqual(self.judge(benchmarks({"x": SLOW}), benchmarks({"x": FAST}))[0], 0)
        self.assertEqual(self.judge(benchmarks({"x": FAST}), benchmarks({"x": FAST}))[0], 0)

    def test_one_slow_benchmark_among_others_is_named(self) -> None:
        code, text = self.judge(benchmarks({"x": FAST, "y": FAST}), benchmarks({"x": FAST, "y": SLOW}))
        self.assertEqual(code, 1)
        self.assertEqual([line.split()[1] for line in text.splitlines() if "slower" in line], ["y"])

    def test_below_the_threshold_is_no_slow_down(self) -> None:
        self.assertEqual(self.judge(benchmarks({"x": FAST}), benchmarks({"x": SLOW}), "--threshold", "0.2")[0], 0)

    def test_noise_is_no_slow_down(self) -> None:
        noisy = [5.0, 20.0, 6.0, 19.0, 11.0, 11.0]
        self.assertEqual(self.judge(benchmarks({"x": FAST}), benchmarks({"x": noisy}))[0], 0)

    def test_runs_of_peers(self) -> None:
        def run(times: list[float]) -> dict:
            one = {"decoder": "kl", "width": 8, "height": 8, "frames": 0, "contenders": {"ours-fp32": {"ms": times}}}
            return {"kind": "peers", "results": [one]}

        code, text = self.judge(run(FAST), run(SLOW))
        self.assertEqual(code, 1)
        self.assertIn("kl/8x8/0/ours-fp32", text)

    def test_what_cannot_be_compared_is_2(self) -> None:
        good = benchmarks({"x": FAST})
        failed = {"benchmarks": [{"name": "x", "error_occurred": True, "error_message": "wrong answer"}]}
        aggregates = {"benchmarks": [{"name": "x_mean", "run_name": "x", "run_type": "aggregate", "real_time": 1}]}
        for bad, says in ((benchmarks({"y": FAST}), "one alone: x, y"), (benchmarks({"x": [1.0]}), "at least 5"), (failed, "wrong answer"),
                          (aggregates, "aggregates_only"), ("{", "readable"), ("[]", "run expected"), ({}, "expected"),
                          ({"benchmarks": 3}, "readable")):  # fmt: skip
            code, text = self.judge(good, bad)
            self.assertEqual(code, 2, text)
            self.assertIn(says, text)
        self.assertEqual(self.call(str(self.folder / "none.json"), str(self.folder / "a.json"))[0], 2)

    def test_two_builds(self) -> None:
        fast, slow = self.build("fast", 10.0), self.build("slow", 11.0)
        self.assertEqual(self.call(fast, slow)[0], 1)
        self.assertEqual(self.call(slow, fast)[0], 0)
        (self.folder / "empty").mkdir()
        code, text = self.call(fast, str(self.folder / "empty"))
        self.assertEqual(code, 2)
        self.assertIn("bench_decoders", text)


if __name__ == "__main__":
    unittest.main()

from __future__ import annotations

import argparse
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import torch

from bench import peers, timing
from bench.agreement import WrongAnswer, decibels
from bench.cases import Case
from bench.contenders import InProcess, Unavailable, eager


class Wrong(InProcess):
    def pictures(self) -> torch.Tensor:
        return super().pictures() * 0.5

    def ms(self, calls: int, clock: str) -> float:
        raise AssertionError("a wrong answer was timed")


def absent(case: Case, dtype: str, threads: int):
    raise Unavailable("not installed")


def broken(case: Case, dtype: str, threads: int):
    raise RuntimeError("its compiler failed\nat length")


class Peers(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.case = Case("taesd", (32, 16), 0, self.folder)
        self.options = argparse.Namespace(threads=1, dtype=["fp32"], peer=None, clock="wall", rounds=3, int8=False)

    def run_with(self, others: dict, ours) -> dict:
        with mock.patch.object(peers, "PEERS", {"eager": eager, **others}), mock.patch.object(
            peers, "Ours", lambda case, dtype, program, folder: ours(case)
        ), mock.patch.object(timing, "SETTLED_MS", 1):
            return peers.measure(self.case, self.options, mock.Mock(), self.folder)

    def right(self, case: Case) -> InProcess:
        return InProcess(case, case.network(), case.latents)

    def wrong(self, case: Case) -> InProcess:
        return Wrong(case, case.network(), case.latents)

    def test_int8_is_set_beside_bf16(self) -> None:
        self.options.dtype, self.options.int8 = ["bf16"], True
        with mock.patch.object(peers, "OursInt8", lambda case, program, folder: self.right(case)):
            result = self.run_with({}, self.right)
        self.assertEqual(set(result["contenders"]), {"ours-int8", "ours-bf16", "eager-bf16"})
        self.assertEqual(result["contenders"]["ours-int8"].get("int8_ratio"), None)
        self.assertEqual(set(result["contenders"]["eager-bf16"]["int8_ratio"]), {"median", "low", "high"})
        table = peers.table_of(result)
        self.assertEqual([row[0] for row in table.rows if row[-1]], ["ours-bf16", "eager-bf16"])
        with mock.patch.object(peers, "OursInt8", lambda case, program, folder: self.wrong(case)), self.assertRaises(WrongAnswer):
            self.run_with({}, self.right)

    def test_peers_that_cannot_or_err_are_named_and_not_timed(self) -> None:
        wrong = lambda case, dtype, threads: self.wrong(case)  # noqa: E731
        result = self.run_with({"absent": absent, "broken": broken, "wrong": wrong}, self.right)
        self.assertEqual(set(result["contenders"]), {"ours-fp32", "eager-fp32"})
        self.assertIn("not installed", result["absent"]["absent-fp32"])
        self.assertIn("its compiler failed", result["absent"]["broken-fp32"])
        self.assertIn("wrong answer", result["absent"]["wrong-fp32"])
        self.assertEqual(len(result["contenders"]["eager-fp32"]["ms"]), 3)
        text = peers.markdown.table(peers.table_of(result), [])
        self.assertIn("taesd, 32x16", text)
        self.assertIn("absent-fp32 | not timed: not installed", text)

    def test_a_wrong_answer_of_ours_ends_the_run(self) -> None:
        with self.assertRaisesRegex(WrongAnswer, "taesd, ours-fp32: wrong answer"):
            self.run_with({}, self.wrong)

    def test_bf16_is_close(self) -> None:
        exact, close = (eager(self.case, dtype, 1).pictures() for dtype in ("fp32", "bf16"))
        self.assertEqual(exact.shape, (1, 16, 32, 3))
        self.assertGreater(decibels(close, exact), 40)

    def test_two_threads_have_no_clock_of_their_own(self) -> None:
        with self.assertRaises(SystemExit), mock.patch("sys.stderr"):
            peers.command(["--clock", "cpu", "--threads", "2"])


if __name__ == "__main__":
    unittest.main()

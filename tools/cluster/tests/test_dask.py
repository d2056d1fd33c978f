from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import unittest

from tests.rehearsal import CLUSTER, QUICK, Rehearsal


@unittest.skipIf(importlib.util.find_spec("distributed") is None, "Dask's distributed is not installed")
class Dask(Rehearsal):
    def command(self) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, CLUSTER / "dask/batch_on_dask.py", self.manifest, self.out, "--workers", "2", "--", *QUICK],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "LIGHTSWITCH": self.program},
        )

    def test_a_killed_program_costs_nothing_and_a_second_run_makes_nothing(self) -> None:
        with self.command() as engine:
            self.wait_for_pictures(3, engine)
            self.kill_a_program()
            _, said = engine.communicate(timeout=300)
        self.assertEqual(engine.returncode, 0, said)
        self.assertIn("40 done, 0 there already, 0 failed", said)
        self.check_complete()
        results = (self.out / "results-0-of-1.jsonl").read_text().splitlines()
        self.assertEqual(sorted(json.loads(line)["line"] for line in results), list(range(1, self.COUNT + 1)))
        with self.command() as again:
            _, said = again.communicate(timeout=300)
        self.assertIn("0 done, 40 there already, 0 failed", said)

"""What the tests of engines share: the program that was built, a small batch of the shipped model, and how to disturb it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

CLUSTER = Path(__file__).resolve().parents[1]
QUICK = ["--steps", "1", "-W", "64", "-H", "64", "--decoder", "tae", "-t", "1", "--encode-threads", "1"]


class Rehearsal(unittest.TestCase):
    """A folder with a manifest of COUNT pictures, and $LIGHTSWITCH to make them."""

    COUNT = 40

    def setUp(self) -> None:
        self.program = os.environ.get("LIGHTSWITCH", "")
        if not Path(self.program).is_file():
            self.skipTest("LIGHTSWITCH does not name the program")
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.manifest, self.out = self.folder / "items.jsonl", self.folder / "out"
        lines = ({"id": f"p{i}", "prompt": "a yellow boat on the sea", "seed": i} for i in range(self.COUNT))
        self.manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def pictures(self) -> int:
        return len(list(self.out.glob("p*.png")))

    def wait_for_pictures(self, count: int, engine: subprocess.Popen) -> None:
        end = time.monotonic() + 120
        while self.pictures() < count:
            self.assertIsNone(engine.poll(), "the engine ended early")
            self.assertLess(time.monotonic(), end, "no pictures come")
            time.sleep(0.02)

    def kill_a_program(self) -> None:
        """Ends one `lightswitch batch` of this test with -9."""
        found = subprocess.run(["pgrep", "-f", f"^{self.program} batch .*{self.out}"], capture_output=True, text=True)
        self.assertTrue(found.stdout, "no program runs")
        os.kill(int(found.stdout.split()[0]), signal.SIGKILL)

    def check_complete(self) -> None:
        """Every picture is there once, as `verify` sees it, and nothing else lies about."""
        check = subprocess.run(
            [self.program, "verify", self.out, "--manifest", self.manifest], capture_output=True, text=True
        )
        self.assertEqual(check.returncode, 0, check.stdout + check.stderr)
        self.assertIn(f"{self.COUNT} of {self.COUNT} items complete", check.stdout)
        self.assertEqual(self.pictures(), self.COUNT)
        self.assertEqual([path.name for path in self.out.glob(".*")], [], "temporary files are left")

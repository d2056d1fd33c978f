"""What the tests of the papers' commands share."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from bench.budget import Budget
from bench.settings import Settings
from bench.tests.fake_program import FakeProgram


class WithProgram(unittest.TestCase):
    """A folder, and a program that answers at once."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.program = FakeProgram()
        (self.folder / "scratch").mkdir()

    def settings(self, **changes: object) -> Settings:
        usual = {
            "program": self.program,
            "dtype": "fp32",
            "clock": "wall",
            "rounds": 1,
            "quick": True,
            "budget": Budget(),
            "scratch": self.folder / "scratch",
            "data": None,
            "lpips": None,
            "features": None,
            "commands": ("this test",),
        }
        return Settings(**(usual | changes))

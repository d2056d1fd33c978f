from __future__ import annotations

import sys
import tempfile
import unittest
from pathlib import Path

from bench.program import Program, ProgramFailed, stage

PEAK = """#!{python} -S
import json, resource, sys
print(json.dumps(dict(peak_kib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, words=sys.argv[1:])))
"""


class AProgram(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.file = Path(holder.name) / "lightswitch"

    def write(self, text: str) -> Program:
        self.file.write_text(text)
        self.file.chmod(0o755)
        return Program(self.file, 3)

    def test_its_peak_is_its_own(self) -> None:
        held = b"x" * (300 << 20)  # by this process
        self.assertLess(self.write(PEAK.format(python=sys.executable)).report("decode")["peak_kib"], len(held) >> 11)

    def test_its_words(self) -> None:
        program = self.write(PEAK.format(python=sys.executable))
        self.assertEqual(program.report("decode", "a b", "$x;")["words"], ["decode", "a b", "$x;", "-q", "--json", "-", "-t", "3"])
        self.assertEqual(program.report("codec", "info")["words"], ["codec", "info", "-q", "--json", "-"])
        self.assertGreater(program.processor_ms, 0)

    def test_its_failure(self) -> None:
        with self.assertRaisesRegex(ProgramFailed, "exit 7: so it is"):
            self.write("#!/bin/sh\necho so it is >&2\nexit 7\n").report("decode")

    def test_a_stage_by_its_name(self) -> None:
        self.assertEqual(stage({"stages": [{"name": "load", "ms": 1}, {"name": "decode", "ms": 2}]}, "decode")["ms"], 2)


if __name__ == "__main__":
    unittest.main()

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from bench import binaries, everything
from bench.agreement import WrongAnswer
from bench.budget import Budget
from bench.document import Section
from bench.program import ProgramFailed
from bench.settings import Settings
from bench.tests.support import WithProgram

BINARY = """#!{python}
import json, re, sys
words = dict(word[2:].split("=", 1) for word in sys.argv[1:])
names = [name for name in ("a/1/fp32", "a/256/fp32/iterations:1", "b/256/fp32") if re.search(words["benchmark_filter"], name)]
if words.get("benchmark_list_tests"):
    print("\\n".join(names))
else:
    entries = [dict(name=name, run_name=name, run_type="iteration", real_time=2, cpu_time=1, time_unit="ms") for name in names]
    json.dump(dict(context=dict(threads="1", executable="/x/y"), benchmarks=entries), open(words["benchmark_out"], "w"))
"""


class Binaries(WithProgram):
    def setUp(self) -> None:
        super().setUp()
        self.program.path = self.folder / "bin" / "lightswitch"
        self.program.path.parent.mkdir()
        self.binary("bench_decoders", BINARY.format(python=sys.executable))

    def binary(self, name: str, text: str) -> Path:
        file = self.program.path.parent / name
        file.write_text(text)
        file.chmod(0o755)
        return file

    def section(self, settings: Settings) -> Section:
        return binaries.section(settings, binaries.built(settings)[0])

    def test_a_quick_run_takes_a_part(self) -> None:
        with mock.patch.dict(binaries.QUICK, {"bench_decoders": "/256/{dtype}"}):
            quick = self.section(self.settings())
        self.assertEqual([row[:3] for row in quick.tables[0].rows], [["a/256/fp32", "2", "1"], ["b/256/fp32", "2", "1"]])
        self.assertEqual(quick.title, "bench_decoders")
        full = self.section(self.settings(quick=False))
        self.assertEqual(len(full.tables[0].rows), 3)

    def test_what_there_is_no_time_for_is_named(self) -> None:
        with mock.patch.object(Budget, "allows", side_effect=[True, False, False]):
            section = self.section(self.settings(quick=False))
        self.assertEqual(len(section.tables[0].rows), 1)
        self.assertIn("b/256/fp32 (the time was up)", section.text[0])

    def test_one_that_takes_too_long_is_named(self) -> None:
        slow = BINARY.replace("else:\n", "else:\n    import time\n    time.sleep(20 * ('b/256/fp32' in names))\n", 1)
        self.binary("bench_decoders", slow.format(python=sys.executable))
        with mock.patch.dict(binaries.QUICK, {"bench_decoders": "b/256"}):
            section = self.section(self.settings(budget=Budget(2)))
        self.assertIn("b/256/fp32 (took longer than there was time)", section.text[0])

    def test_a_failure_is_told(self) -> None:
        bad = self.binary("bench_bad", "#!/bin/sh\necho no such thing >&2\nexit 3\n")
        with self.assertRaisesRegex(ProgramFailed, "bench_bad .*exit 3: no such thing"):
            binaries.section(self.settings(), bad)


class Command(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def call(self, *arguments: str) -> tuple[int, str]:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                return everything.command([*arguments, "-o", str(self.folder / "out")]), out.getvalue()
            except SystemExit as end:
                return end.code, out.getvalue()

    def test_wrong_words(self) -> None:
        for words, says in (
            ([], "one of --quick and --full"),
            (["--quick", "--full"], "one of"),
            (["--quick", "--routed", "/none"], "--routed"),
            (["--quick", "--coco", "/none"], "--coco: /none: a folder expected"),
        ):
            code, text = self.call(*words)
            self.assertEqual(code, 2, text)
            self.assertIn(says, text)

    def run_with(self, **measures) -> tuple[int, str, dict]:
        """Every part but those given is a section of its name. A binary that is built is one."""
        program = self.folder / "lightswitch"
        for name in ("lightswitch", "bench_x"):
            (self.folder / name).touch(mode=0o755)
        part = lambda name: measures.get(name, lambda settings, *more: [Section(name, settings.source())])  # noqa: E731
        with (
            mock.patch.object(everything.paper1, "sections", part("paper1")),
            mock.patch.object(everything.paper2, "sections", part("paper2")),
            mock.patch.object(everything.binaries, "section", lambda *given: part("bench_x")(*given)[0]),
            mock.patch.object(everything, "peers_section", lambda settings: part("peers")(settings)[0]),
        ):
            code, text = self.call("--quick", "--program", str(program))
        return code, text, json.loads((self.folder / "out" / "run.json").read_text())

    def test_a_quick_run_has_every_part_and_an_end(self) -> None:
        budgets = []

        def peers(settings: Settings) -> list[Section]:
            budgets.append(settings.budget.left())
            return [Section("peers", settings.source())]

        code, text, run = self.run_with(peers=peers)
        self.assertEqual(code, 0, text)
        self.assertEqual([one["title"] for one in run["sections"]], ["paper1", "paper2", "bench_x", "peers"])
        self.assertTrue(0 < budgets[0] < 60 * everything.QUICK_MINUTES)

    def test_a_part_that_fails_is_told_and_the_others_are_there(self) -> None:
        def wrong(*given) -> list[Section]:
            raise WrongAnswer("grey is not black")

        code, text, run = self.run_with(paper2=wrong)
        self.assertEqual(code, 1)
        self.assertIn("failed, as the page says: paper2", text)
        self.assertEqual([one["text"] for one in run["sections"]], [[], ["Failed: grey is not black"], [], []])


if __name__ == "__main__":
    unittest.main()

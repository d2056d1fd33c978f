from __future__ import annotations

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import torch

from bench import drawings_section, end_to_end_section, full_size_section, motion_section, paper1, photographs_section, spaces, timing
from bench.agreement import WrongAnswer
from bench.budget import Budget
from bench.costs import Cost
from bench.drawings_section import AtSize
from bench.published import Claims
from bench.quality import Quality
from bench.settings import in_time
from bench.tests.support import WithProgram


def grey(name: str, raw: torch.Tensor) -> torch.Tensor:
    return torch.full((len(raw), 8 * raw.shape[2], 8 * raw.shape[3], 3), 0.5)


class Sections(WithProgram):
    def setUp(self) -> None:
        super().setUp()
        for where, name, value in (
            (timing, "SETTLED_MS", 1),
            (drawings_section, "PICTURES", {16: 1, 32: 1}),
            (drawings_section, "pictures_by_pytorch", grey),
        ):
            patch = mock.patch.object(where, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def test_drawings(self) -> None:
        judge = self.folder / "judge.ts"
        section = drawings_section.section(self.settings(lpips=judge, features=judge), Claims())
        rows = section.tables[0].rows
        self.assertEqual([row[:2] for row in rows], [[size, name] for size in ("16", "32") for name in ("vae", "vit", "tae", "vq")])
        self.assertEqual(rows[0][2:], ["4", "–", "100", "–", "31.00", "0.9000", "0.1000", "2.00"])
        self.assertEqual(rows[1][2:], ["1", "4.00 (4.00 … 4.00)", "30", "–", "30.00", "0.8000", "0.1000", "5.00"])
        self.assertIn("this test", section.source)
        self.assertTrue(any("J: not readable" in note for note in section.tables[0].notes) or rows[0][5] != "–")

    def test_drawings_beside_the_paper(self) -> None:
        cost = {"vae": Cost([40.0], 100.0, None)} | dict.fromkeys(("vit", "tae"), Cost([10.0], 25.0, None))
        quality = {"vae": Quality(31, 0.9, 0.1, 2.0)} | dict.fromkeys(("vit", "tae"), Quality(30, 0.8, 0.1, 5.0))
        claims = Claims()
        drawings_section.claim(claims, {256: AtSize(cost, quality)})
        by_figure = {row[0]: row for row in claims.rows if row[3].endswith("vit")}
        self.assertEqual(
            by_figure["ms at 256x256"][1:3] + by_figure["ms at 256x256"][4:], ["10 → 4.7", "2.13x", "40 → 10", "4.00x", "1.88"]
        )
        self.assertEqual(by_figure["Fréchet distance at 256x256"][2], "9.63x")
        self.assertEqual(by_figure["Fréchet distance at 256x256"][5:], ["2.50x", "0.26"])
        self.assertNotIn("Fréchet distance at 1024x1024", by_figure)

    def test_a_wrong_answer_is_not_timed(self) -> None:
        black = lambda name, raw: 0 * grey(name, raw)  # noqa: E731
        with (
            mock.patch.object(drawings_section, "pictures_by_pytorch", black),
            self.assertRaisesRegex(WrongAnswer, "vae of models/scenes, 16x16"),
        ):
            drawings_section.section(self.settings(), Claims())
        self.assertFalse(any("--repeat" in words and int(words[words.index("--repeat") + 1]) > 1 for words in self.program.commands))

    def test_what_there_is_no_time_for_is_named(self) -> None:
        with mock.patch.object(Budget, "now", side_effect=iter(range(0, 10**6, 400)).__next__):
            section = drawings_section.section(self.settings(budget=Budget(1000)), Claims())
        self.assertIn("32x32: left out, the time was up.", section.tables[0].notes)
        self.assertEqual({row[0] for row in section.tables[0].rows}, {"16"})

    def test_end_to_end(self) -> None:
        claims = Claims()
        rows = end_to_end_section.section(self.settings(), claims).tables[0].rows
        self.assertEqual(rows[0], ["1", "vit", "2.5", "7.5", "75.0", "2.5", "50.0", "50.0", "up to 15", "3.33"])
        self.assertEqual(claims.rows[0][4], "10 → 5")
        self.assertEqual(claims.rows[0][5:], ["2.00x", "1.70"])

    def test_no_time_at_all(self) -> None:
        late = self.settings(budget=Budget(-1))
        for part in (drawings_section, end_to_end_section, full_size_section):
            claims = Claims()
            section = part.section(late, claims)
            self.assertEqual((section.tables[0].rows, section.charts, claims.rows), ([], [], []))
            self.assertTrue(all("the time was up" in note for note in section.tables[0].notes[-2:]), section.tables[0].notes)
        self.assertIn("the time was up", in_time(late, "title", self.fail).text[0])
        self.assertEqual(self.program.commands, [])

    def test_a_missing_model_of_clips_is_said(self) -> None:
        claims = Claims()
        with mock.patch.object(motion_section, "MOTION", self.folder):
            section = motion_section.section(self.settings(), claims)
        self.assertIn("models/motion is not there", section.tables[0].rows[0][0])
        self.assertIn("models/motion is not there", claims.rows[0])

    def test_eight_frames(self) -> None:
        claims = Claims()
        space = spaces.Space("clips", (), {"vae": "vae", "tae": "tae"})
        with mock.patch.multiple(motion_section, CLIPS=2, SIZE=16):
            table = motion_section.measured(self.settings(), space, grey, claims)
        self.assertEqual([row[:3] for row in table.rows], [["vae", "4", "–"], ["tae", "1", "4.00 (4.00 … 4.00)"]])
        self.assertEqual(claims.rows[0][4:6], ["4 → 1", "4.00x"])

    def test_photographs_and_clips_that_are_not_there_are_said(self) -> None:
        section = photographs_section.section(self.settings(), [spaces.SCENES_SPACE], None, None)
        self.assertEqual([table.notes[0].split(":")[0] for table in section.tables], ["No photographs", "No clips"])


class Command(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.program = self.folder / "lightswitch"
        self.program.write_text("#!/bin/sh\necho out of luck >&2\nexit 1\n")
        self.program.chmod(0o755)

    def call(self, *arguments: str) -> tuple[int, str]:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            try:
                return paper1.command([*arguments, "-o", str(self.folder / "out")]), out.getvalue()
            except SystemExit as end:
                return end.code, out.getvalue()

    def test_wrong_words(self) -> None:
        for words, says in (
            (["--encoder", "x"], "go together"),
            (["--data", "/nowhere"], "/nowhere: not there"),
            (["--clock", "cpu", "--threads", "2"], "--threads 1"),
            (["--rounds", "0"], "at least 1"),
        ):
            code, text = self.call(*words, "--program", str(self.program))
            self.assertEqual(code, 2, text)
            self.assertIn(says, text)

    def test_without_a_program(self) -> None:
        code, text = self.call("--program", str(self.folder / "none"))
        self.assertEqual(code, 1)
        self.assertIn("build the target lightswitch", text)
        self.assertFalse((self.folder / "out").exists())

    def test_what_the_program_says_is_passed_on(self) -> None:
        with mock.patch.object(drawings_section, "PICTURES", {16: 1}):
            code, text = self.call("--program", str(self.program))
        self.assertEqual(code, 1)
        self.assertIn("exit 1: out of luck", text)
        self.assertFalse((self.folder / "out").exists())

    def test_interrupted_nothing_is_written(self) -> None:
        with mock.patch.object(drawings_section, "section", side_effect=KeyboardInterrupt):
            code, text = self.call("--program", str(self.program))
        self.assertEqual((code, "nothing written" in text), (130, True))
        self.assertFalse((self.folder / "out").exists())

    def test_a_page(self) -> None:
        empty = lambda settings, *more: drawings_section.Section("part", settings.source())  # noqa: E731
        sections = {
            name: mock.Mock(section=empty)
            for name in ("drawings_section", "end_to_end_section", "full_size_section", "motion_section", "photographs_section")
        }
        with mock.patch.multiple(paper1, **sections):
            code, text = self.call("--program", str(self.program), "--quick", "--minutes", "1")
        self.assertEqual(code, 0, text)
        run = json.loads((self.folder / "out" / "run.json").read_text())
        self.assertEqual(len(run["sections"]), 6)
        self.assertIn("2503.04871", run["sections"][0]["title"])

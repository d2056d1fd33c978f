from __future__ import annotations

import contextlib
import io
import json
import unittest

import scenes_manifest


def printed(*arguments: str) -> list[dict]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        scenes_manifest.main(list(arguments))
    return [json.loads(line) for line in out.getvalue().splitlines()]


class Manifest(unittest.TestCase):
    def test_lines_are_items_of_a_batch(self) -> None:
        items = printed("60")
        self.assertEqual(len({item["id"] for item in items}), 60)
        self.assertEqual(len({item["seed"] for item in items}), 60)
        self.assertGreater(len({item["prompt"] for item in items}), 50)
        for item in items:
            self.assertEqual(set(item), {"id", "prompt", "seed"})
            self.assertRegex(item["id"], r"^[A-Za-z0-9_-]{1,90}$")

    def test_a_line_depends_on_its_number_alone(self) -> None:
        self.assertEqual(printed("3", "--start", "7"), printed("10")[7:])

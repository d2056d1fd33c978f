from __future__ import annotations

import json
import tempfile
import unittest
from pathlib import Path

import numpy

from bench import pictures
from bench.pictures import BadData


class Pictures(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def photograph(self, name: str, height: int = 4, width: int = 4, grey: int = 0) -> Path:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        made = pictures.write([numpy.full((height, width, 3), grey, numpy.uint8)], self.folder / "one")
        return (made / "0000.png").rename(self.folder / name)

    def listing(self, name: str, *files: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(json.dumps({"images": [{"file_name": file} for file in files]}))

    def test_coco_beside_its_captions(self) -> None:
        wanted = [self.photograph("b.png"), self.photograph("a.png")]
        self.photograph("unnamed.png")
        self.listing("captions.json", "b.png", "a.png", "missing.png")
        self.assertEqual(pictures.coco_files(self.folder), wanted)

    def test_coco_as_it_is_published(self) -> None:
        wanted = [self.photograph("val2017/a.png")]
        self.listing("annotations/captions_val2017.json", "a.png")
        self.assertEqual(pictures.coco_files(self.folder), wanted)

    def test_what_is_no_coco(self) -> None:
        with self.assertRaisesRegex(BadData, "found neither"):
            pictures.coco_files(self.folder)
        self.listing("captions.json", "a.png")
        with self.assertRaisesRegex(BadData, "no pictures"):
            pictures.coco_files(self.folder)
        self.photograph("b.png")
        with self.assertRaisesRegex(BadData, "none of 1"):
            pictures.coco_files(self.folder)
        (self.folder / "captions.json").write_text('{"images": [{}]}')
        with self.assertRaisesRegex(BadData, "captions.json: COCO's format.*file_name"):
            pictures.coco_files(self.folder)

    def test_ucf_takes_classes_in_turn(self) -> None:
        for name in ("Swim/1.avi", "Swim/2.avi", "Bike/1.avi", "Bike/notes.txt"):
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).touch()
        self.assertEqual(
            [path.relative_to(self.folder).as_posix() for path in pictures.ucf_files(self.folder)],
            ["Bike/1.avi", "Swim/1.avi", "Swim/2.avi"],
        )
        with self.assertRaisesRegex(BadData, "avi"):
            pictures.ucf_files(self.folder / "nowhere")

    def test_large_photographs_are_cut(self) -> None:
        found, what = pictures.photographs([self.photograph("a.png", 600, 700)], 1, 512)
        self.assertEqual(found[0].shape, (512, 512, 3))
        self.assertEqual(what, "1 photographs")

    def test_small_photographs_lie_side_by_side(self) -> None:
        files = [self.photograph(f"{grey}.png", 300, 400, grey) for grey in range(5)]
        found, what = pictures.photographs(files, 1, 512)
        self.assertEqual(found[0][[0, 0, 511, 511], [0, 511, 0, 511], 0].tolist(), [0, 1, 2, 3])
        self.assertIn("side by side", what)
        with self.assertRaisesRegex(BadData, "16 photographs of 256x256 and more"):
            pictures.photographs(files, 1, 1024)

    def test_pieces(self) -> None:
        folder = pictures.write(pictures.drawings(1, 512), self.folder / "whole")
        self.assertEqual(len(list(pictures.cut(folder, self.folder / "pieces").iterdir())), 4)


if __name__ == "__main__":
    unittest.main()

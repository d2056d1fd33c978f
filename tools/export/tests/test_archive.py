from __future__ import annotations

import tempfile
import unittest
import zipfile
from pathlib import Path

import torch

from lightswitch_export.archive import local_paths, save_script
from lightswitch_export.noise_schedule import ScheduleConfig
from lightswitch_export.schedulers import SCHEDULERS, scripted


class Archive(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = Path(self.folder.name) / "part.pt"

    def test_traced_module_loads_again_and_names_no_path(self) -> None:
        net = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3), torch.nn.SiLU()).eval()
        picture = torch.randn(1, 3, 9, 9)
        traced = torch.jit.trace(net, picture)
        save_script(traced, self.path)
        self.assertEqual(local_paths(self.path.read_bytes()), [])
        self.assertFalse([name for name in zipfile.ZipFile(self.path).namelist() if name.endswith("debug_pkl")])
        self.assertTrue(torch.equal(torch.jit.load(self.path)(picture), net(picture)))

    def test_what_torch_writes_would_have_been_refused(self) -> None:
        traced = torch.jit.trace(torch.nn.Conv2d(3, 5, 3), torch.randn(1, 3, 9, 9))
        torch.jit.save(traced, str(self.path))
        self.assertNotEqual(local_paths(self.path.read_bytes()), [])

    def test_tensor_data_is_aligned_for_mapping(self) -> None:
        save_script(torch.jit.script(torch.nn.Conv2d(3, 5, 3)), self.path)
        content = self.path.read_bytes()
        for member in zipfile.ZipFile(self.path).infolist():
            name_length = int.from_bytes(content[member.header_offset + 26 : member.header_offset + 28], "little")
            extra_length = int.from_bytes(content[member.header_offset + 28 : member.header_offset + 30], "little")
            self.assertEqual((member.header_offset + 30 + name_length + extra_length) % 64, 0, member.filename)

    def test_same_module_same_bytes(self) -> None:
        for name in SCHEDULERS:
            save_script(scripted(name, ScheduleConfig()), self.path)
            first = self.path.read_bytes()
            save_script(scripted(name, ScheduleConfig()), self.path)
            self.assertEqual(self.path.read_bytes(), first, name)

    def test_schedulers_are_small(self) -> None:
        for name in SCHEDULERS:
            save_script(scripted(name, ScheduleConfig()), self.path)
            self.assertLess(self.path.stat().st_size, 30_000, name)


if __name__ == "__main__":
    unittest.main()

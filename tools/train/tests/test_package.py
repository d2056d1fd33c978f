from __future__ import annotations

import hashlib
import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import torch

from train.package import SAMPLERS, check_parts, describe, file_list, save_half, scores_table
from train.package import files_command, training_table, with_checkpoints
from train.runs import CONFIGS, NOTHING, SHIPPED, read_config
from train.torchscript import ScheduleConfig, scripted
from train.unet import UNet

DECODERS = {
    "latent_space": {"channels": 4, "factor": 8, "scaling_factor": 1.0, "shift_factor": 0.0},
    "decoders": {"vit": {"file": "vit.safetensors", "family": "vit", "config": {}}},
    "encoders": {"vit": {"file": "vit.safetensors", "family": "vit", "config": {}}},
}


class Package(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        text, unet = (read_config(CONFIGS / f"scenes_{name}.json") for name in ("text", "unet"))
        self.model = describe(text, unet, DECODERS)

    def fill(self) -> None:
        parts = self.model["parts"]
        names = ["text_encoder.pt", "denoiser.pt", "judge.pt", *(entry["file"] for entry in parts["schedulers"].values())]
        for name in (*names, "tokenizer/vocab.json", "tokenizer/merges.txt", "vit.safetensors", "README.md"):
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            if name.endswith(".pt"):
                save_half(torch.nn.Linear(2, 2), path)
            else:
                path.write_text(name)
        self.model["files"] = file_list(self.folder)

    def test_every_file_is_listed_with_its_hash(self) -> None:
        self.fill()
        check_parts(self.folder, self.model)
        self.assertNotIn("README.md", self.model["files"])
        entry = self.model["files"]["tokenizer/vocab.json"]
        self.assertEqual(entry, {"bytes": 20, "sha256": hashlib.sha256(b"tokenizer/vocab.json").hexdigest()})

    def test_missing_unknown_and_leaking_parts_are_refused(self) -> None:
        self.fill()
        (self.folder / "left_over.bin").write_text("x")
        self.model["files"] = file_list(self.folder)
        with self.assertRaisesRegex(SystemExit, "left_over.bin"):
            check_parts(self.folder, self.model)
        (self.folder / "left_over.bin").unlink()
        (self.folder / "vit.safetensors").unlink()
        self.model["files"] = file_list(self.folder)
        with self.assertRaisesRegex(SystemExit, "missing vit.safetensors"):
            check_parts(self.folder, self.model)
        (self.folder / "vit.safetensors").write_text("x")
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(self.folder / "denoiser.pt"))
        self.model["files"] = file_list(self.folder)
        with self.assertRaisesRegex(SystemExit, "denoiser.pt: names local paths"):
            check_parts(self.folder, self.model)

    def test_calibrations_are_part_of_the_package(self) -> None:
        self.fill()
        (self.folder / "model.json").write_text(json.dumps(self.model))
        (self.folder / "vit.int8.json").write_text("{}")
        files_command([str(self.folder)])
        model = json.loads((self.folder / "model.json").read_text())
        self.assertEqual(model["files"]["vit.int8.json"]["bytes"], 2)
        check_parts(self.folder, model)
        (self.folder / "other.int8.json").write_text("{}")
        with self.assertRaisesRegex(SystemExit, "not part of the package: other.int8.json"):
            files_command([str(self.folder)])
        (self.folder / "other.int8.json").unlink()
        (self.folder / "vit.safetensors").write_text("changed")
        with self.assertRaisesRegex(SystemExit, "changed: vit.safetensors"):
            files_command([str(self.folder)])

    def test_half_on_disk_single_in_use(self) -> None:
        torch.manual_seed(0)
        model = UNet(4, [8, 12, 16], [1, 1], [1, 1, 1], [0, 2, 2], embedding=16, context=10, context_tokens=5).eval()
        torch.nn.init.normal_(model.conv_out.weight, std=0.1)
        sample, context = torch.randn(1, 4, 16, 16), torch.randn(1, 5, 10)
        expected = model(sample, torch.tensor(100.0), context)
        path = self.folder / "denoiser.pt"
        save_half(model, path)
        self.assertEqual(next(model.parameters()).dtype, torch.float32)
        self.assertTrue(all(p.dtype == torch.float16 for p in torch.jit.load(path).parameters()))
        found = torch.jit.load(path).float()(sample, torch.tensor(100.0), context)
        torch.testing.assert_close(found, expected, rtol=2e-2, atol=2e-3)

    def test_card_says_when_nothing_was_measured(self) -> None:
        self.assertEqual(scores_table(self.folder / "scores.json"), "Not measured yet.")
        scores = {"pictures": {"right": 0.5, "sky": 1.0}, "drawings": {"right": 0.99, "sky": 1.0}, "count": 8}
        (self.folder / "scores.json").write_text(json.dumps(scores))
        self.assertIn("| generated, held-out captions, 8 pictures | 50.0 % | 100.0 % |", scores_table(self.folder / "scores.json"))


class History(unittest.TestCase):
    """What the card says of the trainings adds up over machines."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.runs = Path(holder.name)
        patched = mock.patch.dict("os.environ", {"LIGHTSWITCH_RUNS": holder.name})
        patched.start()
        self.addCleanup(patched.stop)
        self.history = {"a": {"2020-01-01": {"start": NOTHING, "steps": 1, "samples": 8, "hours": 0.5}}}

    def checkpoint(self, start: str) -> None:
        (self.runs / "a").mkdir()
        state = {"start": start, "begun": "2020-01-02 10:00", "step": 2, "samples": 32, "seconds": 1800.0}
        torch.save(state, self.runs / "a" / "checkpoint.pt")

    def test_no_training_here_changes_nothing(self) -> None:
        self.assertEqual(with_checkpoints(self.history, ["a", "b"]), self.history)

    def test_going_on_from_the_shipped_weights_adds_a_row(self) -> None:
        self.checkpoint(SHIPPED)
        history = with_checkpoints(self.history, ["a"])
        self.assertEqual([run["samples"] for run in history["a"].values()], [8, 32])
        self.assertEqual(with_checkpoints(history, ["a"]), history)
        self.assertIn("| `a` | 2020-01-02 10:00 | the shipped weights | 2 | 32 | 0.50 |", training_table(history, ["a"]))

    def test_a_training_from_nothing_makes_the_earlier_ones_void(self) -> None:
        self.checkpoint(NOTHING)
        self.assertEqual(list(with_checkpoints(self.history, ["a"])["a"]), ["2020-01-02 10:00"])


class Samplers(unittest.TestCase):
    def test_each_takes_the_schedule_of_the_denoiser(self) -> None:
        schedule = ScheduleConfig(**read_config(CONFIGS / "scenes_unet.json")["schedule"])
        for name in SAMPLERS:
            with self.subTest(name):
                self.assertEqual(len(scripted(name, schedule).init(4, 1.0)["timesteps"]), 4)


class ShippedModels(unittest.TestCase):
    """What lies in models/ is whole: hashes agree and no file names a path of the machine that made it."""

    def test_shipped_package(self) -> None:
        folder = Path(__file__).resolve().parents[3] / "models" / "scenes"
        if not (folder / "model.json").exists():
            self.skipTest("models/scenes is not there")
        model = json.loads((folder / "model.json").read_text())
        self.assertEqual(model["files"], file_list(folder))
        check_parts(folder, model)


if __name__ == "__main__":
    unittest.main()

"""Fitting a gate for a pair of decoders: what it learns from, what it is judged by, and a whole small run."""

import contextlib
import io
import os
import tempfile
import unittest
from unittest import mock

import numpy as np
import torch
from safetensors.torch import load_file

from train import gate
from train.runs import CONFIGS
from train.tests.test_distill import InFolder, prefixed
from train.tiny import TinyDecoder, TinyEncoder


@contextlib.contextmanager
def own_runs():
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, LIGHTSWITCH_RUNS=folder):
        yield


class Learning(unittest.TestCase):
    def test_gains_are_where_the_heavy_decoder_is_right(self) -> None:
        picture = np.full((16, 24, 3), 255, np.uint8)
        white = lambda z: torch.ones(1, 3, 16, 24)

        def half_wrong(z: torch.Tensor) -> torch.Tensor:
            made = white(z)
            made[..., 12:] = 0
            return made

        found = gate.gain_map(half_wrong, white, torch.zeros(4, 2, 3), picture, 0.25)
        self.assertEqual(found.shape, (2, 3))
        self.assertTrue((found[:, 0] == 0).all() and (found[:, 2] > 0).all())

    def test_crops_and_their_gain_are_of_one_place(self) -> None:
        place = torch.arange(5.0 * 7).reshape(1, 5, 7)
        z, wanted = gate.random_crops([(place, place[0])], 2, 50)
        torch.testing.assert_close(z.mean((1, 2, 3)), wanted)
        self.assertGreater(len(set(wanted.tolist())), 10)

    def test_curves(self) -> None:
        gain = np.array([3.0, -1.0, 2.0, 0.0])
        found = gate.gained(np.array([0.1, 0.3, 0.2, 0.0]), gain)
        for rule in found.values():
            self.assertEqual((rule[0], rule[-1]), (0.0, 1.0))
        self.assertEqual(max(found["oracle"]), 1.25)
        self.assertEqual(found["gate"][3], -0.25)  # the one picture of four that it prefers
        self.assertEqual(gate.gained(gain, gain)["gate"], found["oracle"])

    def test_it_learns_what_can_be_told_from_latents(self) -> None:
        torch.manual_seed(0)
        items = []
        for _ in range(20):
            z = torch.randn(4, 8, 8) * torch.rand(1)
            items.append((z, z.square().mean(0)))
        config = {"name": "gate-test", "seed": 0, "minutes": 0.1, "batch": 16, "learning_rate": 5e-3, "warmup_steps": 5}
        config |= {"ema": 0.9, "crop": 64, "width": 8}
        with own_runs(), contextlib.redirect_stderr(io.StringIO()):
            learned = gate.train(config, items)
        with torch.no_grad():
            scores = np.array([float(learned(z[None])) for z, _ in items])
        wanted = np.array([float(gain.mean()) for _, gain in items])
        self.assertGreater(np.corrcoef(scores, wanted)[0, 1], 0.9)


class WholeRun(InFolder):
    def fit(self, *options: object) -> str:
        said = io.StringIO()
        with own_runs(), contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
            gate.command([str(option) for option in ("--minutes", "0.01", "--config", self.config(), *options)])
        return said.getvalue()

    def config(self):
        path = self.folder / "config.json"
        path.write_text((CONFIGS / "gate.json").read_text().replace('"crop": 128', '"crop": 16'))
        return path

    def test_a_gate_is_fitted_judged_and_written(self) -> None:
        heavy = self.teacher_file()
        light = self.file("light.safetensors", prefixed(TinyDecoder(4), "decoder."))
        output = self.folder / "gate.safetensors"
        said = self.fit("--light", light, "--heavy", heavy, "--images", self.photographs(12), "-o", output)
        self.assertRegex(said, r"(?s)2 held-out pictures.*gate .*oracle .*random ")
        weights = load_file(output)
        self.assertEqual(weights["gate.conv1.weight"].shape, (24, 4, 3, 3))
        gate.Gate(4, 24).load_state_dict({name.removeprefix("gate."): value for name, value in weights.items()})

    def test_what_does_not_belong_together_is_refused(self) -> None:
        light = self.file("light.safetensors", prefixed(TinyDecoder(4), "decoder."))
        wide = self.file("wide.safetensors", prefixed(TinyDecoder(4, 6), "decoder."))
        common = ("--images", self.photographs(3), "-o", self.folder / "gate.safetensors")
        with self.assertRaisesRegex(SystemExit, "latent channels"):
            self.fit("--light", light, "--heavy", wide, *common)
        with self.assertRaisesRegex(SystemExit, "encoder"):
            self.fit("--light", light, "--heavy", light, *common)


if __name__ == "__main__":
    unittest.main()

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy
import torch
from safetensors.torch import load_file, save_file

from bench import codec_section, pair_gate, random_codec, routed_section, timing
from bench.agreement import WrongAnswer
from bench.pictures import BadData
from bench.published import MEAN_MACS, Claims
from bench.routed_section import SHARES, Routed
from bench.tests.support import WithProgram
from train.routed import RoutedDecoder


class OfPictures(WithProgram):
    def setUp(self) -> None:
        super().setUp()
        for where, name, value in ((timing, "SETTLED_MS", 1), (routed_section, "PICTURES", 5), (routed_section, "SIZE", 16)):
            patch = mock.patch.object(where, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def test_a_pair(self) -> None:
        claims = Claims()
        gate = self.folder / "gate.safetensors"
        section = routed_section.pair_section(self.settings(), claims, gate)
        rows = section.tables[0].rows
        self.assertEqual([row[:2] for row in rows], [[f"{share:.0%}"] * 2 for share in SHARES])
        self.assertEqual(rows[0][6:10], ["1.00x", "7", "0.2", "+0.0"])
        self.assertEqual(rows[4][6], "3.57x")
        by_figure = {row[0]: row for row in claims.rows}
        self.assertEqual(by_figure["multiply-adds of a light picture"][5:], ["10.00x", "0.81"])
        self.assertEqual(by_figure["multiply-adds at 80% light, mean"][2], f"{MEAN_MACS:.2f}x")
        self.assertIn("gate.safetensors", section.text[0])

    def test_other_pictures_than_those_of_the_halves_are_not_timed(self) -> None:
        folder, latents = routed_section.encoded(self.settings(), range(2), "drawn")
        routed = Routed("pair", "picture", lambda share: f"routed,heavy-share={share}")
        with self.assertRaisesRegex(WrongAnswer, "pair, light share 100%"):
            routed_section.measure(self.settings(), routed, latents, folder, {1.0: torch.zeros(2, 16, 16, 3)})

    def test_chance_and_an_oracle(self) -> None:
        wanted = torch.zeros(2, 4, 4, 3)
        heavy = torch.full_like(wanted, 0.01)  # 40 dB
        light = torch.stack([torch.full((4, 4, 3), 0.1), torch.full((4, 4, 3), 0.01)])  # 20 and 40 dB
        found = routed_section.chance_and_oracle(light, heavy, wanted)
        for (chance, oracle), expected in zip(found, [(40, 40), (38, 40), (36, 40), (34, 40), (32, 30), (30, 30)]):
            self.assertAlmostEqual(chance, expected[0], places=3)
            self.assertAlmostEqual(oracle, expected[1], places=3)

    def test_no_routed_decoder_is_said(self) -> None:
        section = routed_section.routed_section(self.settings(), Claims(), None)
        self.assertIn("no routed decoder ships yet", section.tables[0].rows[0][0])

    def test_what_is_no_routed_decoder(self) -> None:
        save_file({"a": torch.zeros(1)}, self.folder / "a.safetensors")
        with self.assertRaisesRegex(BadData, "a.safetensors: a routed decoder expected"):
            routed_section.routed_section(self.settings(), Claims(), self.folder / "a.safetensors")

    def test_a_routed_decoder_is_compared_with_pytorch(self) -> None:
        model = RoutedDecoder(width=8, blocks=1, heavy_widths=[8, 8, 8], gate_width=4, tile=4, latent_channels=4)
        save_file(model.state_dict(), self.folder / "routed.safetensors")
        with (
            mock.patch.object(routed_section, "SIZE", 32),
            self.assertRaisesRegex(WrongAnswer, "routed, light share"),
        ):  # the program makes grey
            routed_section.routed_section(self.settings(), Claims(), self.folder / "routed.safetensors")


class Gate(unittest.TestCase):
    def test_it_learns_what_gains(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            draw = torch.Generator().manual_seed(0)
            latents = torch.randn(4, 4, 4, 4, generator=draw)
            wanted = torch.rand(4, 3, 32, 32, generator=draw)
            file = pair_gate.fit(latents, wanted + 0.1, wanted, wanted, 0.005, Path(folder))
            self.assertEqual(load_file(file)["gate.conv1.weight"].shape[1], 4)


class Sound(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def test_a_random_codec_makes_sounds_of_usual_loudness(self) -> None:
        file = random_codec.write(self.folder / "codec.safetensors")
        draw = numpy.random.default_rng(0)
        sound = codec_section.write_sound(draw.standard_normal(3200) * 3000, self.folder / "a.wav")
        made = codec_section.by_pytorch(file, sound)
        for samples in made.values():
            self.assertEqual(len(samples), 3200)
            self.assertTrue(0.01 < samples.std() < 1)

    def test_a_model_of_other_shapes_is_not_asked(self) -> None:
        save_file({"quantizer.codebooks": torch.zeros(1, 2, 64), "encoder.x": torch.zeros(1)}, self.folder / "a.safetensors")
        sound = codec_section.write_sound(numpy.zeros(320), self.folder / "a.wav")
        self.assertIsNone(codec_section.by_pytorch(self.folder / "a.safetensors", sound))
        self.assertIsNone(codec_section.by_pytorch(self.folder / "nothing", sound) if (self.folder / "nothing").mkdir() else None)

    def test_another_sound_is_a_wrong_answer(self) -> None:
        sound = codec_section.write_sound(numpy.full(640, 3000), self.folder / "a.wav")
        codec_section.check(0.0, numpy.full(640, 3000 / 32768, numpy.float32), sound)
        with self.assertRaisesRegex(WrongAnswer, "light share 0%"):
            codec_section.check(0.0, numpy.full(640, -3000 / 32768, numpy.float32), sound)

    def test_how_a_share_is_asked_for(self) -> None:
        self.assertEqual(
            [codec_section.way(share) for share in (0.0, 0.8, 1.0)],
            [["--route", "heavy"], ["--heavy-share", "0.200"], ["--route", "light"]],
        )


if __name__ == "__main__":
    unittest.main()

"""The codec's networks, its quantizer, its distances, and the gate on sounds made up here."""

import math
import os
import tempfile
import unittest
import wave
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from train.runs import CONFIGS, read_config
from train.speech import codec, gate, light
from train.speech.quantizer import ResidualQuantizer
from train.speech.soundstream import HEAVY, LIGHT, Decoder, Encoder
from train.speech.sounds import HELD_OUT_EVERY, Excerpts, speakers
from train.speech.spectra import log_mel, log_mel_distance, mel_filters, mel_loss, si_snr


def tones(seconds: float, seed: int) -> np.ndarray:
    """Something with pitch, pauses and noise, int16."""
    random = np.random.default_rng(seed)
    t = np.arange(int(seconds * 16000)) / 16000
    pitch = 100 + 50 * random.random() + 20 * np.sin(2 * np.pi * 1.3 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / 16000
    voice = sum(np.sin(k * phase) / k for k in range(1, 12)) * (np.sin(2 * np.pi * 0.9 * t) > -0.3)
    return ((0.1 * voice + 0.01 * random.standard_normal(len(t))) * 32767).astype(np.int16)


def write_recordings(folder: Path, count: int = HELD_OUT_EVERY, seconds: float = 7) -> None:
    for i in range(count):
        with wave.open(str(folder / f"{i}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes(tones(seconds, i).tobytes())


class Networks(unittest.TestCase):
    def test_sizes(self) -> None:
        count = lambda module: sum(p.numel() for p in module.parameters())
        self.assertEqual(count(Decoder(HEAVY)), 660289)
        self.assertEqual(count(Encoder(HEAVY)), 660352)
        self.assertEqual(count(Decoder(LIGHT)), 27673)
        self.assertEqual(count(gate.Gate()), 3105)
        self.assertEqual((HEAVY.hop, LIGHT.hop), (320, 320))

    def test_causal(self) -> None:
        torch.manual_seed(0)
        encoder, decoder, chooser = Encoder(HEAVY).double(), Decoder(HEAVY).double(), gate.Gate().double()
        x = torch.randn(1, 40 * 320, dtype=torch.double)
        changed = x.clone()
        changed[:, 30 * 320 :] += 1
        for of in (encoder, lambda x: decoder(encoder(x)), lambda x: chooser(encoder(x))):
            before, after = of(x), of(changed)
            kept = before.shape[-1] * 30 // 40
            torch.testing.assert_close(before[..., :kept], after[..., :kept], atol=1e-12, rtol=0)
            self.assertGreater((before - after).abs().max().item(), 1e-6)

    def test_look_back_of_the_heavy_decoder(self) -> None:
        decoder = Decoder(HEAVY).double()
        x = torch.randn(1, 64, 60, dtype=torch.double)
        reach = light.PAST
        made = decoder(x)[:, reach * 320 :]
        torch.testing.assert_close(decoder(x[..., 10:])[:, reach * 320 :], made[:, 10 * 320 :], atol=1e-12, rtol=0)
        late = decoder(x[..., 11:])[:, (reach - 1) * 320 : reach * 320]
        self.assertGreater((late - made[:, 10 * 320 : 11 * 320]).abs().max().item(), 0)


class Quantizer(unittest.TestCase):
    def test_more_stages_are_nearer_and_begin_alike(self) -> None:
        torch.manual_seed(0)
        quantizer = ResidualQuantizer(6, 32, 8).eval()
        x = torch.randn(2, 8, 400)
        quantizer.fit(x.transpose(1, 2).flatten(0, 1))
        errors = []
        for stages in range(1, 7):
            indices = quantizer.indices(x, stages)
            self.assertTrue(torch.equal(indices, quantizer.indices(x)[..., :stages]))
            errors.append((quantizer.dequantized(indices) - x).square().mean().item())
        self.assertEqual(errors, sorted(errors, reverse=True))
        self.assertLess(errors[-1], 0.5 * errors[0])

    def test_dropped_stages(self) -> None:
        torch.manual_seed(0)
        quantizer = ResidualQuantizer(4, 16, 8).eval()
        x = torch.randn(2, 8, 50, requires_grad=True)
        quantizer.fit(x.detach().transpose(1, 2).flatten(0, 1))
        snapped, _ = quantizer(x, torch.tensor([1, 4]))
        indices = quantizer.indices(x.detach())
        torch.testing.assert_close(snapped[:1], quantizer.dequantized(indices[:1, :, :1]))
        torch.testing.assert_close(snapped[1:], quantizer.dequantized(indices[1:]))
        snapped.sum().backward()
        self.assertTrue(torch.equal(x.grad, torch.ones_like(x)))

    def test_codebooks_follow(self) -> None:
        torch.manual_seed(0)
        quantizer = ResidualQuantizer(2, 8, 4).train()
        quantizer.fit(torch.randn(200, 4))
        stages = torch.tensor([2])
        far = lambda: torch.randn(1, 4, 200) + 5
        before = quantizer(far(), stages)[1].item()
        for _ in range(400):
            after = quantizer(far(), stages)[1].item()
        self.assertLess(after, 0.1 * before)


class Distances(unittest.TestCase):
    def test_a_tone_lies_in_its_band(self) -> None:
        filters = mel_filters(1024, 80)
        self.assertEqual(tuple(filters.shape), (513, 80))
        t = torch.arange(16000) / 16000
        for hertz in (300, 1000, 3000):
            band = log_mel(torch.sin(2 * math.pi * hertz * t)[None])[0].mean(0).argmax().item()
            centre = (filters[:, band] * torch.arange(513)).sum() / filters[:, band].sum() * 8000 / 512
            self.assertLess(abs(centre.item() - hertz), 0.06 * hertz + 20)

    def test_nothing_apart(self) -> None:
        x = torch.from_numpy(tones(1, 0).astype(np.float32) / 32768)[None]
        self.assertEqual(log_mel_distance(x, x).item(), 0)
        self.assertEqual(mel_loss(x, x).item(), 0)
        self.assertAlmostEqual(log_mel_distance(x, x * 0.1).item(), 2, delta=0.1)  # -20 dB, but for the floor

    def test_si_snr_of_known_noise(self) -> None:
        torch.manual_seed(0)
        x, noise = torch.randn(1, 20000), torch.randn(1, 20000)
        self.assertAlmostEqual(si_snr(3 * x + 0.3 * noise, x).item(), 20, delta=0.2)


class Judging(unittest.TestCase):
    def test_a_gate_that_sees_the_regret_is_near_the_oracle(self) -> None:
        torch.manual_seed(0)
        frames = 200
        wrong = (torch.rand(frames) < 0.4).float() * torch.rand(frames)  # how far off the light decoder is
        wrong = wrong.repeat_interleave(4)[:frames]
        heavy = torch.from_numpy(tones(frames * HEAVY.hop / 16000, 3).astype(np.float32) / 32768)[None]
        light = heavy + 0.3 * wrong.repeat_interleave(HEAVY.hop) * torch.randn_like(heavy)
        features = torch.randn(1, HEAVY.features, frames)
        features[0, 0] = wrong
        part = {"features": features, "heavy": heavy, "light": light, "samples": heavy}
        part["regret"] = gate.frame_errors(light, heavy) - gate.frame_errors(heavy, heavy)
        found = gate.curves([part], gate.fit([part], 150, frames=100))
        for share in range(2, 10):
            self.assertLess(found["oracle"][share], found["random"][share])
            self.assertLess(found["gate"][share], found["random"][share])
        self.assertGreater(gate.gains(found)[5], 0.5)


class Training(unittest.TestCase):
    def test_all_of_it_from_nothing(self) -> None:
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, LIGHTSWITCH_RUNS=f"{folder}/runs"):
            sounds = Path(folder) / "sounds"
            sounds.mkdir()
            write_recordings(sounds)
            training, held_out = speakers(sounds)
            self.assertEqual((len(training), len(held_out)), (HELD_OUT_EVERY - 1, 1))
            excerpt = Excerpts(sounds, 3, 6400, 0)()
            self.assertEqual(tuple(excerpt.shape), (3, 6400))
            self.assertLessEqual(excerpt.abs().max().item(), 1)

            small = {"batch": 2, "frames": 16, "minutes": 0.1, "unquantized_steps": 1, "stages": 2, "entries": 8, "warmup_steps": 2}
            model, run = codec.train(read_config(CONFIGS / "speech_codec.json") | small, sounds)
            self.assertGreater(run.step, 1)
            self.assertGreater(model.quantizer.codebooks.abs().max().item(), 0)
            small = {"batch": 2, "frames": 16, "minutes": 0.05, "warmup_steps": 2}
            light.train(read_config(CONFIGS / "speech_light.json") | small, sounds)

            parts = gate.of_files(light.trained_codec(), light.trained_light(), held_out)
            fitted = gate.fit(parts, 60, frames=100)
            found = gate.curves(parts, fitted)
            for name in ("oracle", "gate", "energy", "random"):  # the ends are the plain decoders, whoever chooses
                self.assertEqual((found[name][0], found[name][-1]), (found["oracle"][0], found["oracle"][-1]))
            plain = gate.routed(parts[0], torch.zeros(parts[0]["regret"].shape[1], dtype=torch.bool))
            self.assertTrue(torch.equal(plain, parts[0]["light"]))


if __name__ == "__main__":
    unittest.main()

"""The small VQGAN: its network against diffusers', its codebook, and a whole small training."""

import contextlib
import io
import json
import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from safetensors.torch import load_file

from train import vq_training
from train.runs import CONFIGS, read_config
from train.tests.test_networks import shaken
from train.vq import VQModel, codebook_use, k_means, nearest

try:
    import diffusers
except ImportError:
    diffusers = None


@unittest.skipUnless(diffusers, "diffusers is not installed")
class AgainstDiffusers(unittest.TestCase):
    def test_every_way_through_the_model(self) -> None:
        ours = shaken(VQModel([16, 24, 32, 32], 8, 50))
        theirs = diffusers.VQModel(
            block_out_channels=(16, 24, 32, 32),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            norm_num_groups=8,
            latent_channels=4,
            num_vq_embeddings=50,
        ).eval()
        theirs.load_state_dict(ours.state_dict())
        pictures = torch.rand(2, 3, 32, 48) * 2 - 1
        with torch.no_grad():
            z = ours.encode(pictures)
            torch.testing.assert_close(z, theirs.encode(pictures).latents, atol=1e-4, rtol=1e-4)
            spread = torch.randn_like(z)
            _, _, (_, _, indices) = theirs.quantize(spread)
            self.assertEqual(ours.quantize.indices(spread).flatten().tolist(), indices.flatten().tolist())
            self.assertGreater(len(indices.unique()), 5)
            torch.testing.assert_close(ours.decode(spread), theirs.decode(spread).sample, atol=1e-4, rtol=1e-4)


class Codebook(unittest.TestCase):
    def setUp(self) -> None:
        torch.manual_seed(0)

    def test_the_nearest_entry_in_parts(self) -> None:
        vectors, entries = torch.randn(100, 3), torch.randn(7, 3)
        indices, distances = nearest(vectors, entries, chunk=13)
        every = (vectors[:, None] - entries).square().sum(2)
        self.assertTrue(torch.equal(indices, every.argmin(1)))
        torch.testing.assert_close(distances, every.min(1).values)

    def test_k_means_comes_nearer_and_uses_every_entry(self) -> None:
        vectors = torch.randn(2000, 4)
        off = {}
        for iterations in (0, 1, 12):
            torch.manual_seed(1)
            entries = k_means(vectors, 64, iterations)
            indices, distances = nearest(vectors, entries)
            off[iterations] = distances.mean().item()
        self.assertLess(off[1], off[0])
        self.assertLess(off[12], 0.8 * off[0])
        self.assertEqual(codebook_use(indices, 64)["used"], 1.0)
        with self.assertRaisesRegex(ValueError, "at least 3000"):
            k_means(vectors, 3000, 1)

    def test_entries_that_nothing_is_near_to_move(self) -> None:
        """Nearly all vectors are one: entries that start on it are idle but for the first, and go where they are needed."""
        vectors = torch.cat([torch.zeros(500, 2), torch.arange(1.0, 9)[:, None] * torch.tensor([10.0, 0])])
        entries = k_means(vectors, 9, 8)
        self.assertEqual(nearest(vectors, entries)[1].max(), 0)

    def test_use(self) -> None:
        use = codebook_use(torch.tensor([[0, 0], [3, 3]]), 8)
        self.assertEqual(use["used"], 0.25)
        self.assertAlmostEqual(use["perplexity"], 2.0)
        self.assertLess(codebook_use(torch.tensor([0, 0, 0, 3]), 8)["perplexity"], 2.0)


class WholeTraining(unittest.TestCase):
    def test_a_model_is_trained_scored_and_written(self) -> None:
        with tempfile.TemporaryDirectory() as held, mock.patch.dict(os.environ, LIGHTSWITCH_RUNS=held):
            folder = Path(held)
            (folder / "scenes-latents").mkdir()
            stored = np.random.default_rng(0).standard_normal((8, 4, 16, 16)).astype(np.float16)
            stored.tofile(folder / "scenes-latents" / "latents.f16")
            facts = {"file": "latents.f16", "capacity": 8, "count": 8, "channels": 4, "side": 16, "first_seed": 0}
            (folder / "scenes-latents" / "READY.json").write_text(json.dumps(facts))
            config = read_config(CONFIGS / "scenes_vq.json") | {"batch": 2, "codebook_pictures": 8}
            config["model"]["codes"] = 16
            (folder / "config.json").write_text(json.dumps(config))
            output = folder / "vq.safetensors"
            options = ("--config", folder / "config.json", "-o", output, "--minutes", 0.001, "--count", 2)
            said = io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
                vq_training.command([str(option) for option in options])
            weights = load_file(output)
        self.assertEqual({v.dtype for v in weights.values()}, {torch.float16})
        self.assertEqual(weights["quantize.embedding.weight"].shape, (16, 4))
        flat = torch.from_numpy(stored).float().movedim(1, -1).reshape(-1, 4)
        self.assertLess(nearest(flat, weights["quantize.embedding.weight"].float())[1].mean(), 0.6 * flat.square().sum(1).mean())
        VQModel(**config["model"]).load_state_dict(weights)
        self.assertLessEqual({"psnr", "ssim", "used", "perplexity", "count"}, set(json.loads(said.getvalue())))


if __name__ == "__main__":
    unittest.main()

"""The networks, the training and the package of models/motion."""

import json
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import torch

from train.decoders_table import macs
from train.kl import KLDecoder
from train.motion_decoder import clip_loss, flicker
from train.motion_latents import ROWS, stored
from train.motion_package import DECODERS, check_parts, describe, scores_table
from train.motion_samples import sample_clips
from train.motion_scores import frechet
from train.motion_unet import REACH, ClipUNet, Motion, start_from_scenes
from train.motion_unet_training import Task
from train.package import save_half
from train.runs import CONFIGS, read_config
from train.temporal_decoders import ConvAlong, KLTemporalDecoder, TinyTemporalDecoder, start_from_pictures
from train.tests.test_networks import diffusers, shaken
from train.tiny import TinyDecoder
from train.torchscript import file_list
from train.unet import UNet

REPOSITORY = Path(__file__).resolve().parents[3]
SETTINGS = read_config(CONFIGS / "motion_unet.json")
IDS = torch.tensor([[6.0, 127.0, 0.02]])


def small_unet() -> ClipUNet:
    torch.manual_seed(0)
    shape = dict(widths=[8, 12, 16], down=[1, 1], up=[1, 1, 1], heads=[0, 2, 2], embedding=16, context=10)
    return shaken(ClipUNet(4, **shape, spread=0.7, scale=0.9))


def inputs(batch: int = 1, frames: int = 3, height: int = 8, width: int = 8, seed: int = 1):
    generator = torch.Generator().manual_seed(seed)
    random = lambda *shape: torch.randn(shape, generator=generator)
    return random(batch, frames, 8, height, width), torch.tensor(0.2), random(batch, 1, 10), IDS.expand(batch, 3)


class Oracle:
    """Knows the one clip there is: its v is exact at every noise level."""

    def __init__(self, x0: torch.Tensor):
        self.x0 = x0

    def __call__(self, sample, timestep, encoder_hidden_states, added_time_ids):
        sigma = (4 * timestep).exp().expand(len(sample))[:, None, None, None, None]
        size = (sigma * sigma + 1).sqrt()
        noise = (sample[:, :, :4] * size - self.x0) / sigma
        return (noise - sigma * self.x0) / size

    def with_moves(self, *given):
        return self(*given), self.x0


class Denoiser(unittest.TestCase):
    def setUp(self):
        guard = torch.no_grad()
        guard.__enter__()
        self.addCleanup(guard.__exit__, None, None, None)

    def test_scripted_is_equal_for_other_sizes_and_frame_counts(self):
        model = small_unet()
        scripted = torch.jit.script(model)
        for batch, frames, height, width in ((1, 3, 8, 8), (2, 1, 4, 12), (1, 20, 8, 4)):
            given = inputs(batch, frames, height, width)
            expected = model(*given)
            self.assertEqual(expected.shape, (batch, frames, 4, height, width))
            torch.testing.assert_close(scripted(*given), expected, rtol=1e-4, atol=1e-5)

    def test_clips_of_a_batch_do_not_touch_each_other_and_frames_of_a_clip_do(self):
        model = small_unet()
        sample, timestep, token, ids = inputs(batch=2, frames=4)
        both = model(sample, timestep, token, ids)
        torch.testing.assert_close(model(sample[1:], timestep, token[1:], ids[1:]), both[1:], rtol=1e-4, atol=1e-5)
        sample[0, 0, :4] += 1
        touched = (model(sample, timestep, token, ids) - both).abs().amax((2, 3, 4))
        self.assertTrue((touched[0] > 1e-4).all())
        self.assertEqual(touched[1].max().item(), 0)

    def test_everything_it_is_told_matters(self):
        model = small_unet()
        sample, timestep, token, ids = inputs()
        made = model(sample, timestep, token, ids)
        for column, amount in enumerate((3.0, 60.0, 0.3)):
            other = ids.clone()
            other[:, column] += amount
            self.assertGreater((model(sample, timestep, token, other) - made).abs().max().item(), 1e-4, column)
        self.assertGreater((model(sample, timestep, token + 1, ids) - made).abs().max().item(), 1e-4)
        self.assertGreater((model(sample, timestep + 0.3, token, ids) - made).abs().max().item(), 1e-4)

    def test_an_untrained_one_lets_the_picture_stand_still(self):
        model = Motion(**SETTINGS["model"]).eval()
        still, token = torch.randn(1, 4, 8, 8), torch.randn(1, 1, 128)
        made = sample_clips(model, still, token, IDS, unguided(SETTINGS), frames=3, seed=4)
        expected = (still * SETTINGS["model"]["unet"]["scale"])[:, None].expand_as(made)
        spread = SETTINGS["model"]["unet"]["spread"]
        self.assertLess((made - expected).std().item(), 1.1 * spread)  # and what an uncertain one adds around it
        self.assertLess((made - expected).mean().abs().item(), 0.1)

    def test_moves_carry_the_picture_along(self):
        model = small_unet()
        model.moves.weight.zero_()
        model.moves.bias.copy_(torch.tensor([2.0, -1.0]) / REACH)  # from two to the right and one above
        sample, timestep, token, ids = inputs()
        sample[:, :, 4:] = sample[:, :1, 4:]
        still = 0.9 * sample[:, :, 4:]
        moved = model.with_moves(sample, timestep, token, ids)[1]
        torch.testing.assert_close(moved[..., 1:, :-2], still[..., :-1, 2:], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(moved[..., -1], still[..., [0, *range(7)], -1], rtol=1e-4, atol=1e-5)

    def test_refuses_sizes_that_do_not_fold(self):
        with self.assertRaisesRegex(ValueError, "multiples of 4"):
            small_unet()(*inputs(height=6))

    def test_starts_from_the_scenes_denoiser(self):
        shape = dict(widths=[8, 12, 16], down=[1, 1], up=[1, 1, 1], heads=[0, 2, 2], embedding=16, context=10)
        scenes, model = shaken(UNet(4, **shape, context_tokens=5)), small_unet()
        start_from_scenes(model, scenes.state_dict())
        own, theirs = model.state_dict(), scenes.state_dict()
        for name, other in (
            ("down.0.blocks.0.residual.conv1.weight", "down.0.residuals.0.conv1.weight"),
            ("middle.blocks.0.residual.film.bias", "middle.residuals.0.film.bias"),
            ("join.1.weight", "join.1.weight"),
        ):
            torch.testing.assert_close(own[name], theirs[other], rtol=0, atol=0)
        queries = theirs["middle.attentions.0.queries.weight"][: 3 * 16]
        torch.testing.assert_close(own["middle.blocks.0.space.queries.weight"], queries, rtol=0, atol=0)
        torch.testing.assert_close(own["conv_in.weight"][:, 4:], theirs["conv_in.weight"], rtol=0, atol=0)


def unguided(config: dict) -> dict:
    return config | {"sampling": config["sampling"] | {"max_cfg": 1.0}}


class Conventions(unittest.TestCase):
    """Training and sampling mean the same v: one oracle satisfies both."""

    def test_a_perfect_denoiser_gives_its_clip_back(self):
        x0 = torch.randn(1, 5, 4, 8, 8, generator=torch.Generator().manual_seed(5))
        model = SimpleNamespace(unet=Oracle(x0))
        for config in (unguided(SETTINGS), SETTINGS | {"sampling": SETTINGS["sampling"] | {"max_cfg": 2.0}}):
            made = sample_clips(model, torch.randn(1, 4, 8, 8), torch.randn(1, 1, 128), IDS, config, frames=5, seed=9)
            torch.testing.assert_close(made, x0, rtol=0, atol=2e-3)

    def test_a_perfect_denoiser_has_no_loss(self):
        with tempfile.TemporaryDirectory() as runs, mock.patch.dict("os.environ", {"LIGHTSWITCH_RUNS": runs}):
            folder = Path(runs) / "motion-latents"
            folder.mkdir()
            facts = {"capacity": 4, "count": 4, "first_seed": 0, "scaling_factor": 0.9}
            (folder / "READY.json").write_text(json.dumps(facts))
            rows, rng = stored(facts, "r+"), np.random.default_rng(0)
            for name, (kind, shape) in ROWS.items():
                rows[name][:] = rng.random((4, *shape)) * 100 if kind == np.uint8 else rng.standard_normal((4, *shape))
                rows[name].flush()
            places, levels = np.array([2, 0, 3]), np.array([0.1, 0.5, 0.9])
            x0 = torch.from_numpy(rows["frames"][places].astype(np.float32)) * 0.9
            picture = SimpleNamespace(read=lambda small: torch.zeros(len(small), 1, 128))
            loss = lambda unet: Task(SETTINGS).loss(
                SimpleNamespace(unet=unet, picture=picture), places, levels, np.random.default_rng(1)
            )
            self.assertLess(loss(Oracle(x0)).item(), 1e-5)
            self.assertGreater(loss(Oracle(x0 + 0.1)).item(), 1e-3)


class TemporalDecoders(unittest.TestCase):
    @unittest.skipUnless(diffusers, "diffusers is not installed")
    def test_the_full_one_equals_diffusers(self):
        ours = shaken(KLTemporalDecoder([32, 32, 64, 64], 32))
        theirs = diffusers.AutoencoderKLTemporalDecoder(
            block_out_channels=(32, 32, 64, 64), layers_per_block=2, latent_channels=4,
            down_block_types=("DownEncoderBlock2D",) * 4,
        ).eval()  # fmt: skip
        theirs.decoder.load_state_dict(ours.state_dict())
        z = torch.randn(3, 4, 8, 4)
        with torch.no_grad():
            torch.testing.assert_close(ours(z), theirs.decode(z, num_frames=3).sample, atol=1e-4, rtol=1e-4)

    @unittest.skipUnless(diffusers, "diffusers is not installed")
    def test_the_light_one_equals_the_reference(self):
        with mock.patch.object(sys, "path", [str(REPOSITORY / "tests/support"), *sys.path]):
            from reference.taming_video import TinyTemporal
        ours, theirs = shaken(TinyTemporalDecoder(16, 4)), TinyTemporal(16, 4, groups=4).eval()
        theirs.load_state_dict(ours.state_dict())
        z = torch.randn(3, 4, 8, 4)
        with torch.no_grad():
            torch.testing.assert_close((ours(z) + 1) / 2, theirs(z), atol=1e-4, rtol=1e-4)

    def test_they_start_as_decoders_of_pictures(self):
        pictures, clips = shaken(KLDecoder([8, 8, 16, 16], 4)), KLTemporalDecoder([8, 8, 16, 16], 4).eval()
        start_from_pictures(clips, pictures.state_dict())
        z = torch.randn(3, 4, 8, 8)
        with torch.no_grad():
            torch.testing.assert_close(clips(z), pictures(z), atol=0.05, rtol=0.01)
        pictures, clips = shaken(TinyDecoder(16)), TinyTemporalDecoder(16, 4)
        start_from_pictures(clips, pictures.state_dict())
        taken, theirs = clips.state_dict(), pictures.state_dict()
        torch.testing.assert_close(taken["layers.16.weight"], theirs["layers.18.weight"], rtol=0, atol=0)
        torch.testing.assert_close(taken["layers.11.conv.0.weight"], theirs["layers.12.conv.0.weight"], rtol=0, atol=0)
        with self.assertRaises((ValueError, RuntimeError)):
            start_from_pictures(TinyTemporalDecoder(8, 4), theirs)
        with self.assertRaisesRegex(ValueError, "missing"):
            start_from_pictures(KLTemporalDecoder([8, 8, 16, 16], 4), {"conv_in.bias": torch.zeros(16)})

    def test_the_full_one_costs_enough_more_than_the_light_one(self):
        z = torch.randn(2, 4, 16, 16)
        made = {name: read_config(CONFIGS / f"motion_{name}.json")["model"] for name in ("full", "light")}
        full, light = KLTemporalDecoder(**made["full"]).eval(), TinyTemporalDecoder(**made["light"]).eval()
        self.assertGreater(macs(full, z), 1.6 * macs(light, z))

    def test_convolutions_over_time_are_counted(self):
        self.assertEqual(macs(ConvAlong(8), torch.randn(1, 8, 5, 12)), 5 * 12 * 8 * 8 * 3)


class Scores(unittest.TestCase):
    def test_frechet_of_shifted_and_of_stretched_features(self):
        a = torch.randn(4000, 6, generator=torch.Generator().manual_seed(2))
        self.assertAlmostEqual(frechet(a, a), 0, places=4)
        self.assertAlmostEqual(frechet(a, a + 2), 24, places=3)
        self.assertAlmostEqual(frechet(a, 3 * a), 4 * float(a.double().var(0).sum() + a.double().mean(0).square().sum()), places=3)

    def test_flicker_is_what_changes_and_should_not(self):
        still = np.full((4, 2, 2, 3), 100, np.uint8)
        flashing = still + np.array([0, 6, 0, 6], np.uint8)[:, None, None, None]
        self.assertEqual(flicker(flashing, flashing), 0)
        self.assertEqual(flicker(flashing, still), 6)
        self.assertEqual(flicker(still + 9, still), 0)

    def test_the_loss_punishes_flicker(self):
        config = {"object_weight": 2.0, "gradient_weight": 0.25, "change_weight": 1.0}
        target = torch.zeros(4, 3, 8, 8)
        off, flashing = target + 0.1, target + 0.1 * torch.tensor([1.0, -1.0, 1.0, -1.0])[:, None, None, None]
        self.assertEqual(clip_loss(target, target, config).item(), 0)
        self.assertGreater(clip_loss(flashing, target, config).item(), clip_loss(off, target, config).item() + 0.1)


class Package(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        decoders = {name: read_config(CONFIGS / f"motion_{config}.json") for name, config in DECODERS.items()}
        self.model = describe(SETTINGS, decoders)

    def test_missing_and_unknown_parts_are_refused(self):
        (self.folder / "schedulers").mkdir()
        for name in ("denoiser.pt", "image_encoder.pt", "schedulers/euler.pt"):
            save_half(torch.nn.Linear(2, 2), self.folder / name)
        for name in ("vae.safetensors", "tae.safetensors", "vit.safetensors"):
            (self.folder / name).write_text(name)
        self.model["files"] = file_list(self.folder)
        check_parts(self.folder, self.model)
        (self.folder / "vae.safetensors").unlink()
        (self.folder / "left_over.bin").write_text("x")
        self.model["files"] = file_list(self.folder)
        with self.assertRaisesRegex(SystemExit, "missing vae.safetensors"):
            check_parts(self.folder, self.model)
        (self.folder / "vae.safetensors").write_text("x")
        self.model["files"] = file_list(self.folder)
        with self.assertRaisesRegex(SystemExit, "left_over.bin"):
            check_parts(self.folder, self.model)

    def test_it_shares_the_latent_space_of_the_scenes(self):
        scenes = json.loads((REPOSITORY / "models/scenes/model.json").read_text())
        self.assertEqual(self.model["latent_spaces"], scenes["latent_spaces"])
        self.assertEqual(SETTINGS["model"]["unet"]["scale"], scenes["latent_spaces"]["scenes"]["scaling_factor"])

    def test_card_says_when_nothing_was_measured(self):
        self.assertEqual(scores_table(self.folder / "scores.json"), "Not measured yet.")
        row = {"psnr": 20.0, "last_frame_psnr": 18.0, "change": 2.0, "drawn_change": 3.0, "frechet": None}
        scores = {"count": 4, "generated": row, "still": row, "copied": row}
        (self.folder / "scores.json").write_text(json.dumps(scores))
        self.assertIn("| made from the first frame | 20.00 | 18.00 | 2.00 (3.00) | - |", scores_table(self.folder / "scores.json"))

    def test_shipped_package(self):
        folder = REPOSITORY / "models" / "motion"
        if not (folder / "model.json").exists():
            self.skipTest("models/motion is not there")
        model = json.loads((folder / "model.json").read_text())
        self.assertEqual(model, self.model | {"files": file_list(folder)})
        check_parts(folder, model)
        self.assertLess(sum(entry["bytes"] for entry in model["files"].values()), 14 * 2**20)


if __name__ == "__main__":
    unittest.main()

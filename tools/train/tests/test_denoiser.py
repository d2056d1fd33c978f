from __future__ import annotations

import unittest

import torch

from train.runs import CONFIGS, read_config
from train.samples import sample_latents
from train.torchscript import ScheduleConfig, alphas_cumprod
from train.unet import UNet, _folded, _unfolded


def small_unet() -> UNet:
    torch.manual_seed(0)
    model = UNet(4, widths=[8, 12, 16], down=[1, 1], up=[1, 1, 1], heads=[0, 2, 2], embedding=16, context=10, context_tokens=5)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return model.eval()


class Denoiser(unittest.TestCase):
    def test_folding_is_pixel_unshuffle_up_to_the_order_of_channels(self) -> None:
        x = torch.randn(2, 3, 4, 6)
        self.assertTrue(torch.equal(_unfolded(_folded(x)), x))
        expected = torch.nn.functional.pixel_unshuffle(x, 2)
        folded = _folded(x).reshape(2, 4, 3, 2, 3).transpose(1, 2).reshape(2, 12, 2, 3)
        self.assertTrue(torch.equal(folded, expected))

    def test_scripted_is_equal_for_other_sizes_and_batches(self) -> None:
        model = small_unet()
        scripted = torch.jit.script(model)
        for batch, height, width in ((1, 16, 16), (3, 8, 24), (2, 32, 16)):
            sample, context = torch.randn(batch, 4, height, width), torch.randn(batch, 5, 10)
            expected = model(sample, torch.tensor(300.0), context)
            self.assertEqual(expected.shape, sample.shape)
            torch.testing.assert_close(scripted(sample, torch.tensor(300.0), context), expected, rtol=1e-4, atol=1e-5)

    def test_one_timestep_for_all_or_one_for_each(self) -> None:
        model = small_unet()
        sample, context = torch.randn(2, 4, 16, 16), torch.randn(2, 5, 10)
        both = model(sample, torch.tensor([300.0, 300.0]), context)
        torch.testing.assert_close(model(sample, torch.tensor(300.0), context), both)
        self.assertGreater((model(sample, torch.tensor(10.0), context) - both).abs().max().item(), 1e-4)

    def test_pictures_of_a_batch_do_not_touch_each_other(self) -> None:
        model = small_unet()
        sample, context = torch.randn(3, 4, 16, 16), torch.randn(3, 5, 10)
        together = model(sample, torch.tensor(50.0), context)
        alone = model(sample[1:2], torch.tensor(50.0), context[1:2])
        torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)

    def test_refuses_sizes_that_do_not_fold(self) -> None:
        with self.assertRaisesRegex(ValueError, "multiples of 4"):
            small_unet()(torch.randn(1, 4, 18, 16), torch.tensor(1.0), torch.randn(1, 5, 10))


class Oracle:
    """Knows the one picture there is: its v is exact at every timestep, whatever the caption."""

    def __init__(self, x0: torch.Tensor, schedule: ScheduleConfig) -> None:
        signal = alphas_cumprod(schedule)
        self.x0, self.alpha, self.sigma = x0, signal.sqrt(), (1 - signal).sqrt()

    def __call__(self, sample: torch.Tensor, timestep: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        alpha, sigma = self.alpha[int(timestep)], self.sigma[int(timestep)]
        noise = (sample - alpha * self.x0) / sigma
        return alpha * noise - sigma * self.x0


class Sampling(unittest.TestCase):
    def test_a_perfect_denoiser_gives_its_picture_back(self) -> None:
        config = read_config(CONFIGS / "scenes_unet.json")
        x0 = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(5))
        context = torch.zeros(2, 5, 128)
        for method in ("ddim", "dpm++2m", "euler_a"):
            own = config | {"sampling": config["sampling"] | {"method": method}}
            oracle = Oracle(x0, ScheduleConfig(**config["schedule"]))
            made = sample_latents(oracle, context, context[:1], own, steps=12, cfg_scale=3.0, seed=9)
            self.assertLess((made - x0).abs().max().item(), 0.05, method)


if __name__ == "__main__":
    unittest.main()

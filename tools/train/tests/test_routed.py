"""The routed decoder: tiles alone equal tiles of the whole, routes and their blending, the curves that a gate is judged by."""

import unittest

import numpy as np
import torch
import torch.nn.functional as F

from train.routed import BLEND, HALO, RoutedDecoder, from_weights, heavy_weights, mixed, route
from train.routed_curves import quality_curves, verdict
from train.routed_training import curves, gain_over_chance, gains
from train.runs import CONFIGS, read_config


class Network(unittest.TestCase):
    def setUp(self) -> None:
        torch.manual_seed(0)
        self.model = RoutedDecoder(**read_config(CONFIGS / "scenes_routed.json")["model"]).eval()

    @torch.no_grad()
    def test_a_tile_alone_is_the_tile_of_the_whole(self) -> None:
        features, light, heavy = self.model.both(torch.randn(1, 4, 16, 20))
        self.assertEqual((light.shape, heavy.shape), ((1, 3, 128, 160), (1, 3, 128, 160)))
        around = F.pad(features, (HALO,) * 4)
        for y, x in ((0, 0), (4, 8), (12, 16)):
            block = around[:, :, y : y + 4 + 2 * HALO, x : x + 4 + 2 * HALO]
            place = (..., slice(8 * y, 8 * y + 32), slice(8 * x, 8 * x + 32))
            torch.testing.assert_close(self.model.light(block), light[place], atol=1e-5, rtol=0)
            torch.testing.assert_close(self.model.heavy(block), heavy[place], atol=1e-5, rtol=0)

    @torch.no_grad()
    def test_ends_are_the_branches(self) -> None:
        z = torch.randn(2, 4, 8, 8)
        _, light, heavy = self.model.both(z)
        self.assertTrue(torch.equal(self.model(z, 0), light))
        torch.testing.assert_close(self.model(z, 1), heavy, atol=1e-6, rtol=0)

    def test_the_light_way_is_a_quarter_at_most(self) -> None:
        macs = {}

        def count(part: str):
            def hook(module, _, output):
                macs[part] = macs.get(part, 0) + module.weight[0].numel() * output.numel()

            return hook

        for name, module in self.model.named_modules():
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_hook(count(name.split(".")[0]))
        with torch.no_grad():
            features, _, _ = self.model.both(torch.randn(1, 4, 16, 16))
            self.model.gate(features, self.model.tile)
        light = macs["trunk"] + macs["gate"] + macs["light"]
        heavy = macs["trunk"] + macs["gate"] + macs["heavy"]
        self.assertLess(light, 0.25 * heavy)


    def test_a_file_tells_its_own_network(self) -> None:
        weights = self.model.state_dict()
        again, z = from_weights({name: value.half() for name, value in weights.items()}, 4), torch.randn(1, 4, 8, 8)
        torch.testing.assert_close(again(z, 0.5), self.model(z, 0.5), atol=1e-2, rtol=0)
        with self.assertRaisesRegex(ValueError, "routed decoder"):
            from_weights({name: value for name, value in weights.items() if not name.startswith("light.out")}, 4)


class Routes(unittest.TestCase):
    def test_share(self) -> None:
        scores = torch.randn(3, 4, 5)
        for share in (0, 0.1, 0.33, 1):
            chosen = route(scores, share)
            self.assertEqual(chosen.sum((1, 2)).tolist(), [round(share * 20)] * 3)
        best = route(scores, 0.05)
        self.assertTrue(torch.equal(scores[best], scores.flatten(1).max(1).values))

    def test_blending(self) -> None:
        chosen = torch.tensor([[[False, True, True], [False, False, True]]])
        weights = heavy_weights(chosen, 32)[0, 0]
        self.assertEqual(weights[~chosen[0].repeat_interleave(32, 0).repeat_interleave(32, 1)].max().item(), 0)
        torch.testing.assert_close(weights[5, 32 : 32 + BLEND], torch.arange(1, BLEND + 1) / BLEND)
        self.assertEqual(weights[:, 64 + BLEND :].min().item(), 1)  # no light tile near, the picture's border is none
        self.assertEqual(weights[31, 64].item(), 1 / BLEND)  # a corner
        light, heavy = torch.zeros(1, 3, 64, 96), torch.ones(1, 3, 64, 96)
        steps = mixed(light, heavy, chosen, 32).diff(dim=3).abs().max().item()
        self.assertLessEqual(steps, 1 / BLEND + 1e-6)


class Judging(unittest.TestCase):
    def test_the_oracle_is_best_and_the_ends_agree(self) -> None:
        torch.manual_seed(0)
        model = RoutedDecoder(8, 1, [8, 8, 8], 4, 4).eval()
        drawings = np.random.default_rng(0).integers(0, 256, (4, 128, 128, 3), np.uint8)
        found = curves(model, torch.randn(4, 4, 16, 16), drawings, 0.25)
        for name, values in found.items():
            self.assertEqual((values[0], values[-1]), (found["gate"][0], found["gate"][-1]), name)
        self.assertGreater(sum(found["oracle"]), sum(found["random"]))
        perfect = gain_over_chance(found | {"gate": found["oracle"]})
        self.assertEqual(perfect, [1.0] * 9)

    def test_curves_of_single_pictures_are_those_of_all(self) -> None:
        torch.manual_seed(0)
        model = RoutedDecoder(8, 1, [8, 8, 8], 4, 4).eval()
        drawings, z = np.random.default_rng(0).integers(0, 256, (3, 128, 128, 3), np.uint8), torch.randn(3, 4, 16, 16)
        judge = torch.nn.MSELoss()
        found = quality_curves(model, zip(drawings, z), 0.25, judge)
        together = curves(model, z, drawings, 0.25)
        for rule in ("gate", "energy", "oracle"):
            np.testing.assert_allclose(found["psnr"][rule], together[rule], atol=0.002)
        for by_rule in found.values():
            ends = [(by_rule[rule][0], by_rule[rule][-1]) for rule in ("gate", "random")]
            self.assertAlmostEqual(ends[0][0], ends[1][0], delta=1e-4)
            self.assertAlmostEqual(ends[0][1], ends[1][1], delta=1e-4)
        perfect = verdict(found["psnr"] | {"gate": found["psnr"]["oracle"]}, 1)
        self.assertTrue(perfect["above_random"] and perfect["above_energy"])
        self.assertEqual(perfect["share_of_oracles_gain"], [1.0] * 9)
        with self.assertRaisesRegex(ValueError, "whole tiles"):
            quality_curves(model, [(drawings[0], torch.randn(4, 16, 15))], 0.25, None)
        with self.assertRaisesRegex(ValueError, "no pictures"):
            quality_curves(model, [], 0.25, None)

    def test_gains_are_where_the_light_branch_is_wrong(self) -> None:
        target = torch.zeros(1, 3, 64, 64)
        light = target.clone()
        light[..., :32, 32:] = 0.5
        found = gains(light, target, target, 32, 0.25)[0]
        self.assertEqual(found.argmax().item(), 1)
        self.assertAlmostEqual(found[1, 0].item(), 0, delta=1e-6)


if __name__ == "__main__":
    unittest.main()

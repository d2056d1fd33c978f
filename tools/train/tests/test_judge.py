from __future__ import annotations

import unittest

import numpy as np
import torch

from train.judge import CELL, Found, Judge, _read_one, check
from train.judge_training import damaged, judge_loss, targets
from train.world import COLOURS, KINDS, TEST, scene


def read_back(facts: dict) -> Found:
    """What a judge that answers exactly its training targets would see."""
    wanted = targets([facts], 16)
    scores = {"kind": wanted["kind"][0]}
    for name, count in (("colour", len(COLOURS)), ("size", 2)):
        classes = wanted[name][0].clamp(min=0)
        scores[name] = torch.nn.functional.one_hot(classes, count).permute(2, 0, 1).float()
    scores["sky"] = torch.nn.functional.one_hot(wanted["sky"][0], 4).float()
    scores["ground"] = torch.nn.functional.one_hot(wanted["ground"][0], 4).float()
    return _read_one(scores, wanted["kind"][0] == 1, wanted["kind"][0])


class Checking(unittest.TestCase):
    def test_facts_survive_the_grid(self) -> None:
        right = []
        for seed in range(TEST.start, TEST.start + 400):
            facts = scene(seed)[2]
            right += [value for values in check(read_back(facts), facts).values() for value in values]
        self.assertGreater(np.mean(right), 0.995)

    def test_a_wrong_colour_count_or_kind_is_seen(self) -> None:
        group = {"kind": "boat", "colour": "red", "count": 2, "size": "large", "side": "left", "place": "ground", "told": ["side"]}
        facts = {"sky": "day", "ground": "sea", "told": ["sky"], "groups": [group]}
        seen = {key: group[key] for key in ("kind", "colour", "count", "size", "side")}
        self.assertEqual(check(Found("day", "snow", {"boat": seen}), facts), {"sky": [True], "kind": [True], "colour": [True], "count": [True], "side": [True]})
        self.assertEqual(check(Found("night", "sea", {"boat": seen | {"colour": "blue"}}), facts)["colour"], [False])
        missing = check(Found("day", "sea", {"duck": seen | {"kind": "duck"}}), facts)
        self.assertEqual([missing[name] for name in ("kind", "colour", "count", "side")], [[False]] * 4)

    def test_damage_keeps_the_scene_recognisable(self) -> None:
        pictures = torch.from_numpy(np.stack([scene(seed)[0] for seed in range(8)])).permute(0, 3, 1, 2).float() / 127.5 - 1
        error = (damaged(pictures, torch.Generator().manual_seed(0)) - pictures).abs().mean((1, 2, 3))
        self.assertGreater(error.max().item(), 0.01)
        self.assertLess(error.max().item(), 0.25)

    def test_loss_prefers_the_truth(self) -> None:
        facts = [scene(seed)[2] for seed in range(4)]
        wanted = targets(facts, 128 // CELL)
        judge = Judge([8, 8], [0, 0])
        scores = judge(torch.zeros(4, 3, 128, 128))
        true = {"kind": torch.logit(wanted["kind"].clamp(1e-3, 1 - 1e-3))}
        for name in ("colour", "size", "sky", "ground"):
            count = scores[name].shape[1]
            hot = torch.nn.functional.one_hot(wanted[name].clamp(min=0), count).float() * 10
            true[name] = hot.permute(0, 3, 1, 2) if hot.ndim == 4 else hot
        self.assertLess(judge_loss(true, wanted).item(), 0.1 * judge_loss(scores, wanted).item())

    def test_one_cell_per_kind(self) -> None:
        self.assertEqual(Judge([8, 8], [0, 0])(torch.zeros(1, 3, 128, 128))["kind"].shape, (1, len(KINDS), 16, 16))


if __name__ == "__main__":
    unittest.main()

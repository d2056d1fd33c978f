import re
import unittest

import numpy as np

from train.backdrop import SKIES
from train.captions import GROUND_WORDS, SKY_WORDS
from train.sprites import sprite
from train.world import (
    COLOURS,
    HELD_OUT_PAIRS,
    KINDS,
    NOVEL,
    PIXELS,
    TEST,
    TRAIN,
    is_held_out,
    object_weights,
    plan,
    scene,
)


class World(unittest.TestCase):
    def test_a_seed_is_a_picture(self):
        first, caption, facts = scene(TRAIN.start + 7)
        again, same_caption, same_facts = scene(TRAIN.start + 7)
        np.testing.assert_array_equal(first, again)
        self.assertEqual((caption, facts), (same_caption, same_facts))
        self.assertEqual((first.shape, first.dtype), ((128, 128, 3), np.uint8))
        self.assertFalse(np.array_equal(first, scene(TRAIN.start + 8)[0]))

    def test_facts_without_drawing_are_the_same_facts(self):
        for seed in (0, TEST.start + 3, NOVEL.start + 5):
            _, caption, facts = scene(seed)
            for group in facts["groups"]:
                del group["boxes"]
            self.assertEqual(plan(seed)[:2], (facts, caption))

    def test_held_out_pairs_appear_in_the_novel_split_only(self):
        for split, wanted in ((TRAIN, False), (TEST, False), (NOVEL, True)):
            self.assertEqual({is_held_out(plan(seed)[0]) for seed in split[:200]}, {wanted})
        self.assertTrue(all(kind in KINDS and colour in COLOURS for kind, colour in HELD_OUT_PAIRS))

    def test_every_kind_sky_and_count_is_drawn(self):
        facts = [plan(seed)[0] for seed in range(600)]
        groups = [g for f in facts for g in f["groups"]]
        self.assertEqual({g["kind"] for g in groups}, set(KINDS))
        self.assertEqual({g["colour"] for g in groups}, set(COLOURS))
        self.assertEqual({g["count"] for g in groups}, {1, 2, 3})
        self.assertEqual({f["sky"] for f in facts}, set(SKIES))

    def test_boxes_hold_the_objects_colour(self):
        for seed in range(TEST.start, TEST.start + 30):
            picture, _, facts = scene(seed)
            group = facts["groups"][-1]
            x, y, size = max(group["boxes"], key=lambda b: b[1] + b[2])  # the nearest one, which nothing hides
            box = picture[max(y, 0) : y + size, max(x, 0) : x + size].astype(int)
            near = np.abs(box - np.asarray(COLOURS[group["colour"]]) * 255).max(-1) < 70
            self.assertGreater(near.sum(), 20, (seed, group))

    def test_boxes_stay_inside_and_on_the_told_side(self):
        for seed in range(100):
            for group in scene(seed)[2]["groups"]:
                for x, y, size in group["boxes"]:
                    self.assertTrue(x >= 0 and x + size <= 128 and y >= 0 and y + size <= 128, (seed, group))
                    self.assertEqual(size, PIXELS[group["size"]])
                middle = np.mean([x + size / 2 for x, _, size in group["boxes"]])
                if "side" in group["told"]:
                    self.assertEqual(
                        group["side"], ("left", "centre", "right")[int(np.digitize(middle, (49, 79)))], (seed, group)
                    )

    def test_captions_say_the_told_facts_and_no_others(self):
        for seed in range(200):
            facts, caption, _ = plan(seed)
            for group in facts["groups"]:
                self.assertIn(group["kind"][:4], caption)  # "cacti" is a plural too
                self.assertIn(group["colour"], caption)
            for name, words in (("sky", SKY_WORDS), ("ground", GROUND_WORDS)):
                said = {v for v, ways in words.items() if any(re.sub("^(a|an|the) ", "", w) in caption for w in ways)}
                self.assertEqual(facts[name] in said, name in facts["told"], (caption, facts))

    def test_weights_mark_the_objects(self):
        facts = {"groups": [{"boxes": [[0, 0, 32]]}]}
        weights = object_weights(facts, 3.0)
        self.assertEqual((weights[31, 31], weights[32, 32], weights.sum()), (3.0, 1.0, 128 * 128 + 2 * 32 * 32))

    def test_a_larger_picture_is_the_same_scene(self):
        small, large = scene(TEST.start, 128)[0], scene(TEST.start, 256)[0]
        shrunk = large.reshape(128, 2, 128, 2, 3).mean((1, 3))
        self.assertLess(np.abs(shrunk - small).mean(), 4.0)

    def test_sprites_are_composites(self):
        for kind in KINDS:
            drawn = sprite(kind, 32, False)
            self.assertTrue((drawn.clear >= -1e-5).all() and (drawn.clear <= 1 + 1e-5).all(), kind)
            for colour in COLOURS.values():
                rgb = drawn.fixed + drawn.main * np.asarray(colour)
                self.assertLess((rgb - (1 - drawn.clear)).max(), 0.15, kind)  # premultiplied, highlights a little over


if __name__ == "__main__":
    unittest.main()

import unittest

import numpy as np

from train.motion_world import BUCKETS, FPS, FRAMES, USUAL_BUCKET, _Stage, clip, come, motion_facts
from train.world import NOVEL, TEST, TRAIN, is_held_out, plan, scene


def first_seed(wanted, start: int = TEST.start) -> int:
    return next(seed for seed in range(start, start + 2000) if wanted(plan(seed)[0], motion_facts(seed, plan(seed)[0])))


class MotionWorld(unittest.TestCase):
    def test_a_seed_is_a_clip(self):
        frames, caption, facts = clip(TEST.start + 3)
        again, same_caption, same_facts = clip(TEST.start + 3)
        np.testing.assert_array_equal(frames, again)
        self.assertEqual((caption, facts), (same_caption, same_facts))
        self.assertEqual((frames.shape, frames.dtype), ((FRAMES, 128, 128, 3), np.uint8))
        self.assertGreaterEqual(FRAMES, 14)

    def test_it_starts_as_the_scene_of_its_seed(self):
        seeds = [seed for seed in range(60) if not motion_facts(seed, plan(seed)[0])["snowfall"]]
        for seed in seeds[:30]:
            np.testing.assert_array_equal(clip(seed, frames=1)[0][0], scene(seed)[0])

    def test_held_out_pairs_appear_in_the_novel_split_only(self):
        for split, wanted in ((TRAIN, False), (TEST, False), (NOVEL, True)):
            self.assertEqual({is_held_out(clip(seed, frames=1)[2]) for seed in split[:20]}, {wanted})

    def test_strength_and_frame_rate_alone_say_how_far_a_frame_has_come(self):
        """Twice the strength shows after a second what was to be seen after two."""
        stage = _Stage(first_seed(lambda scene, motion: motion["pan"] and scene["ground"] == "sea"), 128)
        stage.motion.update(bucket=USUAL_BUCKET, fps=8)
        late = stage.draw(come(stage.motion, 12))
        stage.motion.update(bucket=2 * USUAL_BUCKET)
        np.testing.assert_array_equal(stage.draw(come(stage.motion, 6)), late)
        stage.motion.update(fps=12)
        np.testing.assert_array_equal(stage.draw(come(stage.motion, 9)), late)

    def test_the_numbers_fit_what_a_denoiser_is_told(self):
        motions = [motion_facts(seed, plan(seed)[0]) for seed in range(300)]
        self.assertTrue(all(BUCKETS[0] <= motion["bucket"] <= BUCKETS[1] <= 255 for motion in motions))
        self.assertEqual({motion["fps"] for motion in motions}, set(FPS))
        self.assertEqual({motion["pan"] for motion in motions}, {-1, 0, 1})
        for name in ("dusk", "snowfall"):
            self.assertEqual({motion[name] for motion in motions}, {False, True}, name)

    def test_everything_moves_smoothly(self):
        """No frame differs from the one before by much more than its neighbours do: nothing jumps."""
        for seed in range(TEST.start, TEST.start + 12):
            frames = clip(seed)[0].astype(np.float32)
            steps = np.abs(np.diff(frames, axis=0)).mean((1, 2, 3))
            self.assertGreater(steps.min(), 0, seed)
            self.assertLess(steps.max(), 2.5 * np.median(steps) + 0.5, seed)

    def test_things_go_where_they_should(self):
        stage = _Stage(first_seed(lambda scene, motion: scene["groups"][-1]["kind"] == "boat" and not motion["pan"]), 128)
        for boat in (thing for thing in stage.things if thing.group["kind"] == "boat"):
            moved = stage.place(boat, 1.0)[0] - stage.place(boat, 0.0)[0]
            self.assertEqual(moved < 0, boat.flip)  # forwards
        stage = _Stage(first_seed(lambda scene, motion: motion["dusk"]), 128)
        self.assertGreater(stage.draw(2.0)[:8, :, 0].mean() - stage.draw(2.0)[:8, :, 2].mean(), -0.2)
        self.assertLess(stage.draw(0.0)[:8, :, 0].mean() - stage.draw(0.0)[:8, :, 2].mean(), -0.2)
        seed = first_seed(lambda scene, motion: motion["pan"] and scene["groups"][-1]["kind"] == "house")
        stage = _Stage(seed, 128)
        house = next(thing for thing in stage.things if thing.group["kind"] == "house")
        self.assertEqual(stage.place(house, 1.0)[0] - house.x > 0, stage.motion["pan"] < 0)  # against the camera

    def test_the_caption_says_what_moves(self):
        for seed in range(100):
            _, caption, facts = clip(seed, frames=1)
            motion = facts["motion"]
            self.assertIn(f"drifting {'right' if motion['wind'] > 0 else 'left'}", caption)
            self.assertEqual("camera pans" in caption, motion["pan"] != 0)
            self.assertEqual("turns to dusk" in caption, motion["dusk"])
            self.assertEqual("snow is falling" in caption, motion["snowfall"])

    def test_a_larger_clip_is_the_same_clip(self):
        small, large = clip(TEST.start + 1, frames=4)[0], clip(TEST.start + 1, frames=4, size=256)[0]
        shrunk = large.reshape(4, 128, 2, 128, 2, 3).mean((2, 4))
        self.assertLess(np.abs(shrunk - small).mean(), 4.0)


if __name__ == "__main__":
    unittest.main()

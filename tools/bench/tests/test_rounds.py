from __future__ import annotations

import random
import unittest

from bench.rounds import abba, abba_groups, paired_ratio, unpaired_ratio


class Rounds(unittest.TestCase):
    def test_measures_forwards_and_backwards(self) -> None:
        order = []
        abba({name: lambda name=name: order.append(name) or 1.0 for name in "ABC"}, 2)
        self.assertEqual("".join(order), "ABCCBA" * 2)

    def test_a_round_keeps_the_better_figure(self) -> None:
        times = iter([5.0, 3.0, 4.0, 6.0])
        self.assertEqual(abba({"A": lambda: next(times)}, 2), {"A": [3.0, 4.0]})

    def test_groups_keep_their_names(self) -> None:
        self.assertEqual(abba_groups({"A": lambda: {"x": 1.0, "y": 2.0}}, 2), {"A": {"x": [1.0, 1.0], "y": [2.0, 2.0]}})

    def test_pairs_take_the_machines_moods_out(self) -> None:
        draw = random.Random(1)
        moods = [1 + 4 * draw.random() for _ in range(15)]
        slow = [2 * mood * (1 + 0.01 * draw.random()) for mood in moods]
        ratio = paired_ratio(slow, moods)
        self.assertAlmostEqual(ratio.median, 2, delta=0.03)
        self.assertGreater(ratio.low, 1.95)
        self.assertLess(ratio.high, 2.05)
        apart = unpaired_ratio(slow, moods)
        self.assertGreater(apart.high - apart.low, 10 * (ratio.high - ratio.low))

    def test_equal_contenders_are_not_told_apart(self) -> None:
        draw = random.Random(2)
        a, b = ([1 + 0.1 * draw.random() for _ in range(15)] for _ in range(2))
        for ratio in (paired_ratio(a, b), unpaired_ratio(a, b)):
            self.assertLess(ratio.low, 1)
            self.assertGreater(ratio.high, 1)

    def test_unequal_numbers_are_no_pairs(self) -> None:
        for above, below in (([], []), ([1.0], [1.0, 2.0])):
            with self.assertRaises(ValueError):
                paired_ratio(above, below)


if __name__ == "__main__":
    unittest.main()

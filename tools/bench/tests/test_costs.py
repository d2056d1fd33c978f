from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

from bench.budget import Budget
from bench.energy import Meter, Unreadable
from bench.published import FRECHET_256, MS_256, Claims, Pair


class Energy(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def zone(self, name: str, microjoules: int) -> Path:
        zone = self.folder / name
        zone.mkdir(exist_ok=True)
        (zone / "energy_uj").write_text(f"{microjoules}\n")
        (zone / "max_energy_range_uj").write_text("5000000\n")
        return zone

    def test_packages_are_added_and_counters_wrap(self) -> None:
        self.zone("intel-rapl:0", 1_000_000), self.zone("intel-rapl:1", 4_500_000), self.zone("intel-rapl:0:0", 7)

        def work() -> None:
            self.zone("intel-rapl:0", 3_000_000), self.zone("intel-rapl:1", 500_000), self.zone("intel-rapl:0:0", 9_000_000)

        self.assertAlmostEqual(Meter(self.folder).joules(work), 2.0 + 1.0)

    def test_why_it_is_not_readable(self) -> None:
        for folder, says in ((self.folder / "none", "shows no"), (self.folder, "no package")):
            with self.assertRaisesRegex(Unreadable, says):
                Meter(folder)
        (self.zone("intel-rapl:0", 0) / "energy_uj").unlink()
        with self.assertRaisesRegex(Unreadable, "energy_uj"):
            Meter(self.folder)


class Beside(unittest.TestCase):
    def test_ratios(self) -> None:
        self.assertAlmostEqual(MS_256.ratio(), 10 / 4.7)
        self.assertAlmostEqual(FRECHET_256.ratio(), 21.48 / 2.23)
        self.assertIsNone(Pair(1, None).ratio())

    def test_ours_by_the_papers(self) -> None:
        claims = Claims()
        claims.add("ms", MS_256, "us", Pair(40, 10))
        claims.add("ms", MS_256, "us", Pair(None, 10))
        claims.missing("ms", MS_256, "us", "not there")
        self.assertEqual([row[5:] for row in claims.rows], [["4.00x", "1.88"], ["–", "–"], ["–", "–"]])
        self.assertEqual(claims.rows[2][4], "not there")


class Time(unittest.TestCase):
    def test_a_part_is_no_longer_than_the_whole(self) -> None:
        self.assertTrue(Budget().part(5).allows(1e9))
        part = Budget(60).part(10)
        self.assertTrue(part.allows(9))
        self.assertFalse(part.allows(11))
        self.assertFalse(Budget(5).part(100).allows(6))

    def test_processor_time_does_not_pass_while_nothing_is_done(self) -> None:
        import time

        budget = Budget(1, "cpu")
        time.sleep(0.2)
        self.assertGreater(budget.left(), 0.9)


if __name__ == "__main__":
    unittest.main()

from __future__ import annotations

import os
import shutil
import subprocess

from tests.rehearsal import CLUSTER, QUICK, Rehearsal


class Parallel(Rehearsal):
    def test_a_killed_shard_is_tried_again(self) -> None:
        if shutil.which("parallel") is None:
            self.skipTest("GNU parallel is not installed")
        command = [CLUSTER / "parallel/batch.sh", "4", "2", self.manifest, self.out, *QUICK]
        with subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "LIGHTSWITCH": self.program}) as engine:
            self.wait_for_pictures(3, engine)
            self.kill_a_program()
            _, said = engine.communicate(timeout=300)
        self.assertEqual(engine.returncode, 0, said.decode())
        self.check_complete()

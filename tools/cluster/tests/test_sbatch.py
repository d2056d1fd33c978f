"""What batch.sbatch makes of the program's exit codes, with a program and a scontrol that only note what they are told."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from tests.rehearsal import CLUSTER

# As Slurm does, a requeue ends the script that asked for it.
SCONTROL = '#!/bin/sh\necho "$@" >> "$NOTES"\nkill -KILL $PPID\n'


class Sbatch(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        self.notes = self.folder / "notes"
        self.write("scontrol", SCONTROL)

    def write(self, name: str, script: str) -> Path:
        file = self.folder / name
        file.write_text(script)
        file.chmod(0o755)
        return file

    def start(self, program: str, restarts: int = 0) -> subprocess.Popen:
        """The script of task 2 of 8; `program` is the body of a shell script in lightswitch's place."""
        more = {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "LIGHTSWITCH": str(self.write("lightswitch", f'#!/bin/sh\necho "$@" >> "$NOTES"\n{program}\n')),
            "NOTES": str(self.notes),
            "SHARDS": "8",
            "SLURM_ARRAY_TASK_ID": "2",
            "SLURM_ARRAY_TASK_COUNT": "3",
            "SLURM_ARRAY_JOB_ID": "77",
            "SLURM_RESTART_COUNT": str(restarts),
            "MAX_RESTARTS": "5",
        }
        command = [CLUSTER / "slurm/batch.sbatch", "items.jsonl", "out", "--decoder", "tae"]
        return subprocess.Popen(["bash", *command], env={**os.environ, **more}, stderr=subprocess.DEVNULL)

    def told(self) -> list[str]:
        return self.notes.read_text().splitlines()

    def test_a_shard_is_named_by_task_and_number_of_shards(self) -> None:
        self.assertEqual(self.start("exit 0").wait(30), 0)
        self.assertEqual(self.told(), ["batch items.jsonl --shard 2/8 --resume -o out --decoder tae"])

    def test_what_may_succeed_goes_back_into_the_queue(self) -> None:
        for body in ("exit 3", "exit 143", "kill -KILL $$"):
            with self.subTest(body):
                self.notes.unlink(missing_ok=True)
                self.start(body).wait(30)
                self.assertEqual(self.told()[1:], ["requeue 77_2"])

    def test_what_cannot_succeed_fails(self) -> None:
        for code in (1, 2, 42):
            with self.subTest(code):
                self.notes.unlink(missing_ok=True)
                self.assertEqual(self.start(f"exit {code}").wait(30), code)
                self.assertEqual(len(self.told()), 1)

    def test_restarts_are_counted(self) -> None:
        self.assertEqual(self.start("exit 3", restarts=5).wait(30), 3)
        self.assertEqual(len(self.told()), 1)

    def test_the_signal_reaches_the_program_whose_end_is_waited_for(self) -> None:
        script = self.start('trap "sleep 0.3; echo stopped >> $NOTES; exit 143" TERM\nwhile :; do sleep 0.05; done')
        end = time.monotonic() + 30
        while not self.notes.exists() and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(0.2)  # until the traps are set
        script.send_signal(signal.SIGTERM)
        script.wait(30)
        self.assertEqual(self.told()[1:], ["stopped", "requeue 77_2"])

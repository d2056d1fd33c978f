"""Measurements: what the README's numbers come from."""

import os

CORES = os.sched_getaffinity(0)  # before torch binds this process's first thread, and a child with it

"""Who decodes: the program, and its peers. Each gives its pictures once, and times its calls."""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

import numpy
import torch

from bench.cases import Case

CORES = os.sched_getaffinity(0)  # before torch binds this process's first thread, and a child with it
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Unavailable(Exception):
    """Why a peer takes no part."""


class Contender(ABC):
    @abstractmethod
    def pictures(self) -> torch.Tensor:
        """[N, H, W, 3] in [0, 1]."""

    @abstractmethod
    def ms(self, calls: int, clock: str) -> float:
        """Of one call: the best of `calls` by the clock on the wall, their mean by that of the processor ("cpu")."""


class Ours(Contender):
    def __init__(self, case: Case, dtype: str, threads: int, program: Path, folder: Path) -> None:
        self.folder = folder / f"{case.name}-{dtype}"
        self.folder.mkdir()
        self.command = [str(program), "decode", str(case.latent_file), "--decoder", f"{case.weights},dtype={dtype}", "--kind", "raw",
                        "--scaling-factor", "1", "-q", "-t", str(threads), "--json", "-", "-o", str(self.folder / "%04d.npy")]
        self.start_up: float | None = None

    def run(self, calls: int) -> tuple[list[float], float]:
        """Milliseconds of every decode, and the process's own in all."""
        spent = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) * 1e3  # noqa: E731
        before = spent()
        process = subprocess.run([*self.command, "--repeat", str(calls)], capture_output=True, text=True,
                                 preexec_fn=lambda: os.sched_setaffinity(0, CORES))
        if process.returncode:
            raise SystemExit(f"{' '.join(self.command)}: exit {process.returncode}: {process.stderr.strip()}")
        decode = next(stage for stage in json.loads(process.stdout)["stages"] if stage["name"] == "decode")
        return decode.get("ms_all", [decode["ms"]]), spent() - before

    def pictures(self) -> torch.Tensor:
        self.run(1)
        return torch.stack([torch.from_numpy(numpy.load(file)) for file in sorted(self.folder.iterdir())])

    def ms(self, calls: int, clock: str) -> float:
        if clock == "wall":
            return min(self.run(calls + 1)[0][1:])
        if self.start_up is None:  # loading, the first call and writing
            self.start_up = min(self.run(1)[1] for _ in range(3))
        return (self.run(calls + 1)[1] - self.start_up) / calls


class InProcess(Contender):
    """A peer that is a function of latents here."""

    def __init__(self, case: Case, decode, latents: torch.Tensor) -> None:
        self.case, self.decode, self.latents = case, decode, latents

    @torch.inference_mode()
    def pictures(self) -> torch.Tensor:
        return self.case.pictures(self.decode(self.latents))

    @torch.inference_mode()
    def ms(self, calls: int, clock: str) -> float:
        now = time.process_time if clock == "cpu" else time.perf_counter
        self.decode(self.latents)
        times = []
        for _ in range(calls):
            start = now()
            self.decode(self.latents)
            times.append((now() - start) * 1e3)
        return sum(times) / calls if clock == "cpu" else min(times)


def eager(case: Case, dtype: str, threads: int) -> Contender:
    """diffusers or the original's own code, as users run it; bf16 in channels_last."""
    network, latents = case.network().to(DTYPES[dtype]), case.latents.to(DTYPES[dtype])
    if dtype == "bf16":
        network, latents = network.channels_last(), latents.contiguous(memory_format=torch.channels_last)
    return InProcess(case, network, latents)


def compiled(case: Case, dtype: str, threads: int) -> Contender:
    """torch.compile with frozen weights."""
    import torch._inductor.config as inductor

    inductor.freezing = True
    network = case.network().to(DTYPES[dtype]).channels_last()
    latents = case.latents.to(DTYPES[dtype]).contiguous(memory_format=torch.channels_last)
    return InProcess(case, torch.compile(network), latents)


def openvino(case: Case, dtype: str, threads: int) -> Contender:
    """Static shape, one request, latency first."""
    if importlib.util.find_spec("openvino") is None:
        raise Unavailable("openvino is not installed (pip install openvino)")
    import openvino as ov

    with torch.inference_mode(False), torch.no_grad():
        model = ov.convert_model(case.network(), example_input=case.latents, input=[list(case.latents.shape)])
    precision = {"fp32": "f32", "bf16": "bf16"}[dtype]
    request = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY",
                                                     "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
                                                     "ENABLE_CPU_PINNING": False}).create_infer_request()
    given = case.latents.numpy()

    def decode(_: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(request.infer([given], share_inputs=True, share_outputs=True)[0])

    return InProcess(case, decode, case.latents)


PEERS = {"eager": eager, "compile": compiled, "openvino": openvino}

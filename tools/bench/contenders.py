"""Who decodes the cases: the program, and its peers."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path

import torch

from bench.cases import Case
from bench.contender import Contender
from bench.decoding import Decoding
from bench.program import Program

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Unavailable(Exception):
    """Why a peer takes no part."""


RAW = ["--kind", "raw", "--scaling-factor", "1"]


class Ours(Decoding):
    def __init__(self, case: Case, dtype: str, program: Program, folder: Path, options: str = "") -> None:
        """@param options of the SPEC, with a comma before each."""
        spec = f"{case.weights},dtype={dtype}{options}"
        super().__init__(program, case.latent_file, spec, folder / f"{case.name}-{dtype}", RAW)


class OursInt8(Ours):
    """Calibrated on the very latents that are timed."""

    def __init__(self, case: Case, program: Program, folder: Path) -> None:
        measured = folder / f"{case.name}.int8.json"
        program.report("calibrate", case.latent_file, "--decoder", case.weights, *RAW, "-o", measured)
        super().__init__(case, "int8", program, folder, f",calibration={measured}")


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
    if threads > 1:
        raise Unavailable("OpenMP binds this process's threads, which halves OpenVINO's: beside it, compare with --threads 1")
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

"""Networks as traced modules: written, loaded again, and compared with the network they came from."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Sequence

import torch
from torch import Tensor, nn

from .archive import save_script
from .refusal import Refusal

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# Of the largest number that the network gives. A trace runs the same kernels, so what is found is near zero.
TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The package's part beside the diffusers component on the same inputs."""

    component: str
    inputs: str
    difference: float  # largest absolute, weights rounded to the stored dtype on both sides
    rounded: float  # the same against the weights as they came
    scale: float  # largest absolute number of the output

    def __str__(self) -> str:
        text = f"{self.component}  {self.inputs}: largest difference {self.difference:.1e}"
        if self.rounded > self.difference:
            text += f", {self.rounded:.1e} with the rounding of the weights"
        return f"{text} (numbers up to {self.scale:.2g})"


def shapes(inputs: Sequence[Tensor]) -> str:
    return " ".join("x".join(map(str, tensor.shape)) or "scalar" for tensor in inputs)


def export_traced(
    component: str,
    network: nn.Module,
    path: Path,
    dtype: str,
    example: Sequence[Tensor],
    others: Sequence[Sequence[Tensor]],
) -> list[Comparison]:
    """Traces `network` with `example`, writes it, loads what was written and runs both on `others`.

    The file holds its weights in `dtype`; they are computed with in fp32, as lightswitch loads them. `others` should
    differ from `example` in every size that may vary: what a trace has frozen shows up there.
    @raises Refusal when the two sides differ by more than TOLERANCE of the largest number.
    """
    with torch.no_grad():
        original = [_outputs(network, inputs) for inputs in others]
        network.to(DTYPES[dtype]).to(torch.float32)
        expected = [_outputs(network, inputs) for inputs in others] if dtype != "fp32" else original
        try:
            traced = torch.jit.trace(network, tuple(example), check_trace=False)
        except Exception as error:  # tracing fails in as many ways as networks are written
            raise Refusal(component, "a network that can be traced", _first_line(error)) from error
        save_script(traced.to(DTYPES[dtype]), path)
        del traced
        loaded = torch.jit.load(str(path)).to(torch.float32).eval()
        return [_compare(component, loaded, *case) for case in zip(others, expected, original)]


def _compare(
    component: str, loaded: nn.Module, inputs: Sequence[Tensor], expected: list[Tensor], original: list[Tensor]
) -> Comparison:
    found = _outputs(loaded, inputs)
    scale = max(float(tensor.abs().max()) for tensor in expected)
    result = Comparison(component, shapes(inputs), _distance(found, expected), _distance(found, original), scale)
    # Written so that NaN is refused too.
    if not result.difference <= TOLERANCE * max(scale, 1.0):
        raise Refusal(component, f"outputs within {TOLERANCE * max(scale, 1.0):.1e} of the original", str(result))
    return result


def _outputs(network: nn.Module, inputs: Sequence[Tensor]) -> list[Tensor]:
    found = network(*inputs)
    return list(found) if isinstance(found, tuple) else [found]


def _distance(a: list[Tensor], b: list[Tensor]) -> float:
    return max(float((x - y).abs().max()) for x, y in zip(a, b, strict=True))


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)

"""Muon (momentum, orthogonalised) for weight matrices and convolutions, Adam for everything else.

Orthogonal updates use every direction of a layer alike, which on these small networks needs far fewer pictures than
Adam. The matrix update is scaled to Adam's usual size (0.2 per entry), so both share one learning rate.
"""

from __future__ import annotations

import torch
from torch import Tensor


def orthogonalised(matrix: Tensor, iterations: int = 5) -> Tensor:
    """Newton-Schulz: the singular values of `matrix` all pushed towards 1.

    Every iterate is a polynomial of the Gram matrix times the start, so the iteration stays on the short side; a
    convolution's matrix is nine times as long.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / (wide.norm() + 1e-7)
    gram = x @ x.T
    product = None
    for _ in range(iterations):
        factor = torch.addmm(gram, gram, gram, beta=-4.7750, alpha=2.0315)
        factor.diagonal().add_(3.4445)
        product = factor if product is None else factor @ product
        gram = factor @ gram @ factor
    x = product @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T


class Muon(torch.optim.Optimizer):
    def __init__(
        self,
        parameters,
        lr: float,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.98),
        weight_decay: float = 0.0,
    ):
        parameters = list(parameters)
        is_matrix = lambda p: p.ndim >= 2 and min(p.shape[0], p[0].numel()) >= 8
        groups = [
            {"params": [p for p in parameters if is_matrix(p)], "matrix": True},
            {"params": [p for p in parameters if not is_matrix(p)], "matrix": False},
        ]
        super().__init__(groups, {"lr": lr, "momentum": momentum, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    (self._matrix_step if group["matrix"] else self._adam_step)(p, group)

    def _matrix_step(self, p: Tensor, group: dict) -> None:
        state = self.state[p]
        if not state:
            state["momentum"] = torch.zeros_like(p)
        state["momentum"].lerp_(p.grad, 1 - group["momentum"])
        update = p.grad.lerp(state["momentum"], group["momentum"]).flatten(1)
        update = orthogonalised(update) * (0.2 * max(update.shape) ** 0.5)
        p.mul_(1 - group["lr"] * group["weight_decay"]).add_(update.view_as(p), alpha=-group["lr"])

    def _adam_step(self, p: Tensor, group: dict) -> None:
        state = self.state[p]
        if not state:
            state.update(step=torch.zeros(()), mean=torch.zeros_like(p), square=torch.zeros_like(p))
        state["step"] += 1
        beta1, beta2 = group["betas"]
        state["mean"].lerp_(p.grad, 1 - beta1)
        state["square"].lerp_(p.grad.square(), 1 - beta2)
        steps = state["step"].item()
        size = (state["square"] / (1 - beta2**steps)).sqrt() + 1e-8
        p.addcdiv_(state["mean"] / (1 - beta1**steps), size, value=-group["lr"])

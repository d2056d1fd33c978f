"""Trajectories over sigma, the noise beside one unit of picture (arXiv 2206.00364)."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor

from ..noise_schedule import ScheduleConfig, alphas_cumprod
from .base import Scheduler


class SigmaSampler(Scheduler):
    def __init__(self, config: ScheduleConfig) -> None:
        super().__init__(config)
        self.karras = config.use_karras_sigmas
        self.sigma_min: Optional[float] = config.sigma_min
        self.sigma_max: Optional[float] = config.sigma_max
        self.ends_at_zero = config.final_sigmas_type == "zero"
        signal = alphas_cumprod(config)
        if config.rescale_betas_zero_snr:
            # sigma would be infinite at zero signal; diffusers puts half precision's smallest number there.
            signal[-1] = 2.0**-24
        self.register_buffer("table", ((1 - signal) / signal).sqrt().to(torch.float64))

    def _karras(self, largest: Tensor, smallest: Tensor, count: int) -> Tensor:
        """Sigmas whose seventh roots are evenly spaced, between the given ends or those the configuration names."""
        named_largest, named_smallest = self.sigma_max, self.sigma_min
        if named_largest is not None:
            largest = torch.full_like(largest, named_largest)
        if named_smallest is not None:
            smallest = torch.full_like(smallest, named_smallest)
        rho = 7.0
        ramp = torch.linspace(0, 1, count, dtype=torch.float64)
        start, end = largest ** (1 / rho), smallest ** (1 / rho)
        return (start + ramp * (end - start)) ** rho

    def _ended(self, sigmas: Tensor, smallest: Tensor) -> Tensor:
        """float32, with the sigma the last step goes to. @param smallest [1], for those that do not end at zero."""
        return torch.cat([sigmas, torch.zeros_like(smallest) if self.ends_at_zero else smallest]).to(torch.float32)


def interpolated(table: Tensor, position: Tensor) -> Tensor:
    low = position.floor().clamp(0, table.numel() - 2).to(torch.int64)
    share = (position - low).clamp(0.0, 1.0)
    return table[low] * (1 - share) + table[low + 1] * share


def time_of(sigmas: Tensor, table: Tensor) -> Tensor:
    """The fractional training timestep whose sigma is given: the inverse of the table, linear in log sigma."""
    log_table = table.log()
    log_sigma = sigmas.clamp(min=1e-10).log()
    low = (torch.searchsorted(log_table, log_sigma, right=True) - 1).clamp(0, log_table.numel() - 2)
    share = ((log_sigma - log_table[low]) / (log_table[low + 1] - log_table[low])).clamp(0.0, 1.0)
    return low + share

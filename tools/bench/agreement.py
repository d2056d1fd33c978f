"""How near two ways to the same pictures have to be before either is timed."""

from __future__ import annotations

import math

import torch

LEAST_DB = {"fp32": 60, "bf16": 40}


class WrongAnswer(Exception):
    """Of whom, how far, and what was wanted."""


def decibels(found: torch.Tensor, expected: torch.Tensor) -> float:
    error = (found - expected).square().mean().item()
    return 10 * math.log10(1 / error) if error else math.inf


def require(name: str, dtype: str, found: torch.Tensor, expected: torch.Tensor) -> None:
    """@throws WrongAnswer"""
    near = decibels(found, expected)
    if not near >= LEAST_DB[dtype]:  # nor where it is not a number
        raise WrongAnswer(f"{name}, {dtype}: wrong answer: {near:.1f} dB, at least {LEAST_DB[dtype]} wanted")

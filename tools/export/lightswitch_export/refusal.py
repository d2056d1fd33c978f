"""Why a model cannot be exported."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """Names the component, what was expected of it, and what was found."""

    def __init__(self, component: str, expected: str, found: Any) -> None:
        super().__init__(f"{component}: expected {expected}, found {found}")
        self.component = component
        self.expected = expected
        self.found = found


def require(holds: bool, component: str, expected: str, found: Any) -> None:
    if not holds:
        raise Refusal(component, expected, found)

"""What metric math does with single points, and with the points of one series or of one minute. Pure."""

from __future__ import annotations

import operator
from itertools import repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

SIGNS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "AND": lambda left, right: bool(left) and bool(right),
    "OR": lambda left, right: bool(left) or bool(right),
}


def joined(
    sign: str, left: float | dict[int, float], right: float | dict[int, float], minutes: Collection[int]
) -> dict[int, float]:
    """Join two values at some minutes; what cannot be worked out is dropped."""
    join, results = SIGNS[sign], {}
    lefts, rights = (
        [side.get(minute, 0.0) for minute in minutes] if isinstance(side, dict) else repeat(side)
        for side in (left, right)
    )
    for minute, one, other in zip(minutes, lefts, rights, strict=False):  # a number has no end
        try:
            value = join(one, other)
        except (ZeroDivisionError, OverflowError):
            continue
        if not isinstance(value, complex):  # the root of a negative number
            results[minute] = float(value)
    return results


def point(side: float | dict[int, float], minute: int) -> float:
    """Give a value's point of one minute: its number, or 0 where a series has none."""
    return side.get(minute, 0.0) if isinstance(side, dict) else side

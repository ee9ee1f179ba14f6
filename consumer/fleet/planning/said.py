"""How a number of things and a time are said to a person."""

from __future__ import annotations

import math

from consumer.fleet.planning.workload import DAY


def counted(number: int, one: str, more: str = "") -> str:
    """Say a number of things; more: what they are called, unless it is an s that is added."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def time_of_day(since: float, step: int = 60) -> str:
    """Show seconds since midnight as a time of day, and how many days later that is. A part of a step counts as one."""
    days, left = divmod(math.ceil(round(since, 3) / step) * step, int(DAY))
    shown = f"{left // 3600:02d}:{left // 60 % 60:02d}" + (f":{left % 60:02d}" if step < 60 else "")  # noqa: PLR2004
    return shown + (f" {days:+d} d" if days else "")

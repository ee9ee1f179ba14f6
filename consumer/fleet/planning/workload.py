"""What is to be done in a day, and between which times."""

from __future__ import annotations

import math
from dataclasses import dataclass

DAY, HOUR = 86_400.0, 3_600.0  # seconds
BETWEEN = 0.05  # seconds from the end of one run to the beginning of the next: a delete and a receive, to and fro


@dataclass(frozen=True, slots=True)
class Workload:
    """A day's messages, the seconds that one takes, and the window for all of them.

    opens, deadline: seconds since midnight, by the clock on the user's wall. A window may go over midnight.
    """

    messages: int
    shortest: float
    mean: float
    longest: float
    opens: float
    deadline: float

    @property
    def window(self) -> float:
        """Seconds from the opening to the deadline, on a day that has 24 hours."""
        return (self.deadline - self.opens) % DAY or DAY

    @property
    def turn(self) -> float:
        """Seconds from the beginning of one run to that of the next, on average."""
        return self.mean + BETWEEN

    @property
    def longest_turn(self) -> float:
        """Seconds from the beginning of the longest run to that of the next."""
        return self.longest + BETWEEN

    @property
    def work(self) -> float:
        """Seconds that all messages take, one after another."""
        return self.messages * self.turn


def counted(number: int, one: str, more: str = "") -> str:
    """Say a number of things; more: what they are called, unless it is an s that is added."""
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def clock(since: float, step: int = 60) -> str:
    """Show seconds since midnight as a time of day, and how many days later that is. A part of a step counts as one."""
    days, left = divmod(math.ceil(round(since, 3) / step) * step, int(DAY))
    shown = f"{left // 3600:02d}:{left // 60 % 60:02d}" + (f":{left % 60:02d}" if step < 60 else "")  # noqa: PLR2004
    return shown + (f" {days:+d} d" if days else "")

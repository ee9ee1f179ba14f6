"""What is to be done in a day, and between which times."""

from __future__ import annotations

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

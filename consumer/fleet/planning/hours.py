"""When a fleet is opened, may go, and is closed, by the day's window. Pure."""

from __future__ import annotations

EARLY = 180.0  # seconds before the messages come: docs/scaling.md says why not more or less
FREE_AFTER = 900.0  # seconds after, until which a sleeping queue's own metrics are back (SQS): then it may go to zero
LAST = 60.0  # at least between that and the deadline
CLOSE_AFTER = 1800.0  # seconds after the deadline, until nothing more may run


def held(window: float) -> float:
    """Give the seconds for which it is held open, however soon the queue is empty: OpenTime to FreeTime."""
    return EARLY + min(FREE_AFTER, window - LAST)

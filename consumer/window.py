"""When the queue must be empty: each day, when one clock on the wall shows one time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, time, tzinfo

LATE = 6 * 3600.0  # for so long after a deadline what is left is late; then it is early for the next one


@dataclass(frozen=True, slots=True)
class Window:
    """The time of day that is the deadline, and whose time that is."""

    deadline: time
    zone: tzinfo

    def left(self, now: datetime) -> float:
        """Give the seconds until the deadline, across changes of summer time; below zero for six hours after it."""
        here = now.astimezone(self.zone)
        today = here.replace(hour=self.deadline.hour, minute=self.deadline.minute, second=0, microsecond=0)
        seconds = (_seconds(today + timedelta(days=day), now) for day in (-1, 0, 1))
        return next(one for one in seconds if one > -LATE)


def _seconds(then: datetime, now: datetime) -> float:
    return (then.astimezone(UTC) - now.astimezone(UTC)).total_seconds()

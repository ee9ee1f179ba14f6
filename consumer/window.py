"""When the queue must be empty: each day, when one clock on the wall shows one time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime, time, tzinfo

LATE = timedelta(hours=6)  # for so long after a deadline what is left is late; then it is early for the next one


@dataclass(frozen=True, slots=True)
class Window:
    """The time of day that is the deadline, and whose time that is."""

    deadline: time
    zone: tzinfo

    def until(self, now: datetime) -> float:
        """Give the seconds until the next deadline, across a change of summer time too."""
        return _seconds(self._next(now), now)

    def left(self, now: datetime) -> float:
        """Give the seconds until the deadline; below zero for the first hours after it."""
        past = self._next(now) - timedelta(days=1)
        since = _seconds(past, now)
        return since if since > -LATE.total_seconds() else self.until(now)

    def _next(self, now: datetime) -> datetime:
        here = now.astimezone(self.zone)
        then = here.replace(hour=self.deadline.hour, minute=self.deadline.minute, second=0, microsecond=0)
        return then if _seconds(then, now) > 0 else then + timedelta(days=1)


def _seconds(then: datetime, now: datetime) -> float:
    return (then.astimezone(UTC) - now.astimezone(UTC)).total_seconds()

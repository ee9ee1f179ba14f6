"""When the queue must be empty, by a clock on a wall, across changes of summer time."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from consumer.window import Window

PARIS = ZoneInfo("Europe/Paris")
NINE = Window(time(9, 0), PARIS)


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        (datetime(2026, 7, 1, 6, 0, tzinfo=PARIS), 3 * 3600),
        (datetime(2026, 7, 1, 9, 0, tzinfo=PARIS), 0),
        (datetime(2026, 7, 1, 15, 0, 1, tzinfo=PARIS), 18 * 3600 - 1),
        (datetime(2026, 3, 28, 16, 0, tzinfo=PARIS), 16 * 3600),  # the night that has one hour less
        (datetime(2026, 10, 24, 16, 0, tzinfo=PARIS), 18 * 3600),  # the night that has one more
        (datetime(2026, 3, 29, 1, 0, tzinfo=PARIS), 7 * 3600),
        (datetime(2026, 7, 1, 23, 30, tzinfo=UTC), 7.5 * 3600),  # asked in another zone
    ],
)
def test_the_deadline_is_when_the_wall_clock_shows_it_next(now: datetime, seconds: float) -> None:
    assert NINE.left(now) == seconds


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 7, 1, 10, 30, tzinfo=PARIS), -1.5),
        (datetime(2026, 7, 1, 14, 59, 59, tzinfo=PARIS), -6 + 1 / 3600),
        (datetime(2026, 7, 1, 15, 0, tzinfo=PARIS), 18),
    ],
)
def test_for_six_hours_after_the_deadline_what_is_left_is_late(now: datetime, hours: float) -> None:
    assert NINE.left(now) == pytest.approx(hours * 3600)

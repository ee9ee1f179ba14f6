"""Scheduled actions: six fields, a time zone, and its summer time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from consumer.errors import TemplateError
from consumer.fleet.cloud.cron import Schedule, fields

TOKYO, PARIS = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Paris")


def due(cron: str, zone: ZoneInfo, begin: datetime, hours: int) -> list[str]:
    """Give the times, by the zone's clock, at which a schedule is due in some hours."""
    schedule = Schedule("test", cron, zone)
    first = round(begin.timestamp() / 60)
    minutes = (minute for minute in range(first, first + hours * 60) if schedule.due(minute))
    return [f"{datetime.fromtimestamp(minute * 60, UTC).astimezone(zone):%m-%d %H:%M}" for minute in minutes]


def test_a_time_of_day_is_due_once_a_day_by_the_clock_of_its_zone() -> None:
    begin = datetime(2026, 11, 20, tzinfo=UTC)
    assert due("cron(55 03 * * ? *)", TOKYO, begin, 48) == ["11-21 03:55", "11-22 03:55"]
    assert due("cron(55 3 * * ? *)", ZoneInfo("UTC"), begin, 24) == ["11-20 03:55"]


def test_in_a_change_of_summer_time_it_is_due_at_the_same_time_on_the_wall() -> None:
    begin = datetime(2026, 10, 24, tzinfo=UTC)  # summer time ends on the 25th, at 03:00
    assert due("cron(55 3 * * ? *)", PARIS, begin, 48) == ["10-24 03:55", "10-25 03:55"]
    schedule = Schedule("test", "cron(55 3 * * ? *)", PARIS)
    times = [begin.replace(hour=1, minute=55), begin.replace(hour=2, minute=55) + timedelta(days=1)]
    assert all(schedule.due(round(when.timestamp() / 60)) for when in times)


def test_a_time_that_the_clocks_show_twice_is_due_once_and_one_that_they_skip_never() -> None:
    assert due("cron(30 2 * * ? *)", PARIS, datetime(2026, 10, 24, 22, tzinfo=UTC), 24) == ["10-25 02:30"]
    assert due("cron(30 2 * * ? *)", PARIS, datetime(2026, 3, 28, 23, tzinfo=UTC), 24) == []


@pytest.mark.parametrize(
    ("cron", "days"),
    [
        ("cron(0 4 ? * MON-FRI *)", ["11-20", "11-23", "11-24", "11-25", "11-26"]),  # the 21st is a Saturday
        ("cron(0 4 ? * 1,7 *)", ["11-21", "11-22"]),
        ("cron(0 4 21,25 * ? *)", ["11-21", "11-25"]),
        ("cron(0 4 */10 * ? *)", ["11-21"]),
        ("cron(0 4 20/3 NOV ? 2026)", ["11-20", "11-23", "11-26"]),
        ("cron(0 4 * DEC ? *)", []),
        ("cron(0 4 * * ? 2027)", []),
    ],
)
def test_days_months_and_years_are_read_as_aws_counts_them(cron: str, days: list[str]) -> None:
    begin = datetime(2026, 11, 20, tzinfo=UTC)
    assert due(cron, ZoneInfo("UTC"), begin, 7 * 24) == [f"{day} 04:00" for day in days]


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("55 3 * * ? *", "six fields"),
        ("cron(55 3 * * *)", "six fields"),
        ("cron(55 3 * * * *)", r"must be \?"),
        ("cron(55 3 ? * ? *)", r"must be \?"),
        ("cron(60 3 * * ? *)", "minutes must be from 0 to 59"),
        ("cron(55 24 * * ? *)", "hours must be from 0 to 23"),
        ("cron(55 x * * ? *)", "'x' is no hours"),
        ("cron(? 3 * * ? *)", "is no minutes"),
        ("cron(55 9-3 * * ? *)", "hours must be"),
        ("cron(55 3 L * ? *)", "'L' is no day of month"),
        ("rate(1 day)", "six fields"),
    ],
)
def test_a_cron_that_aws_would_refuse_is_refused_and_names_its_field(cron: str, why: str) -> None:
    with pytest.raises(TemplateError, match=why):
        fields(cron)

"""What the shipped template does with metrics that are late, gone or wrong, under every reading of AWS's guide."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import pytest

from consumer.fleet.cloud.alarms import MORE, judge, series_of
from consumer.fleet.cloud.metricmath import USUAL, Query, Reading, Series
from consumer.fleet.cloud.scaling import Scaler
from consumer.fleet.cloud.template import read
from support.series import BEGIN, known, series

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.fleet.cloud.alarms import Alarm, State
    from consumer.fleet.cloud.template import Deployment

READINGS = [
    reading
    for reading in (Reading(*answers) for answers in product((True, False), repeat=4))
    if reading.filled or reading.chosen_is_zero  # both are said outright of a series with gaps; one may have exceptions
]
VISIBLE = ("ApproximateNumberOfMessagesVisible", "Maximum")
NEEDED, REPORTING = ("NeededContainers", "Maximum"), ("NeededContainers", "SampleCount")
SUCCEEDED, RUNNING = ("Succeeded", "Sum"), ("CPUUtilization", "SampleCount")

every_reading = pytest.mark.parametrize("reading", READINGS, ids=lambda reading: str(reading)[8:-1])


@cache
def alarm(name: str, **parameters: object) -> Alarm:
    return next(one for one in read(MaxContainers=10, **parameters).alarms if one.name == f"consumer-{name}")


def state(one: Alarm, reading: Reading, data: Mapping[tuple[str, str], Series], minute: int) -> State:
    def source(query: Query) -> Series:
        return known(data, query)

    return judge(one, series_of(one, source, one.range(minute), reading), minute)


@every_reading
@pytest.mark.parametrize(
    ("visible", "reporting", "expected"),
    [
        ("9 9 9 9 9 9 9", "- - - - - - -", "ALARM"),  # never reported: the metric does not exist
        ("9 9 9 9 9 9 9", "2 - - - - - -", "ALARM"),
        ("9 9 9 9 9 9 9", "2 2 2 2 2 - -", "OK"),  # late, by two minutes
        ("9 9 9 9 9 9 9", "2 2 2 - - - -", "OK"),
        ("0 0 0 0 0 0 0", "- - - - - - -", "OK"),
        ("9 9 9 0 0 0 0", "- - - - - - -", "OK"),
        ("- - - - - - -", "- - - - - - -", "OK"),  # the queue's own metrics sleep
        ("- - - - - - -", "2 2 2 2 2 2 2", "OK"),
        ("9 9 9 9 9 9 -", "- - - - - - -", "ALARM"),  # late, by one minute or two
        ("9 9 9 9 9 - -", "- - - - - - -", "ALARM"),
    ],
)
def test_wake_rings_only_where_messages_wait_and_nobody_has_reported_for_five_minutes(
    reading: Reading, visible: str, reporting: str, expected: State
) -> None:
    data = {VISIBLE: series(visible), REPORTING: series(reporting)}
    assert state(alarm("wake"), reading, data, BEGIN + 6) == expected


@every_reading
@pytest.mark.parametrize(
    ("succeeded", "visible", "running", "expected"),
    [
        ("-", "9", "2", "ALARM"),
        ("0", "9", "2", "ALARM"),
        ("1", "9", "2", "OK"),
        ("-", "9", "-", "OK"),  # nothing runs: it is night, or an event says that nothing can be started
        ("-", "0", "2", "OK"),
        ("-", "-", "2", "OK"),
        ("1", "-", "2", "OK"),
    ],
)
def test_stalled_rings_where_messages_wait_containers_run_and_none_succeeds(
    reading: Reading, succeeded: str, visible: str, running: str, expected: State
) -> None:
    data = {
        VISIBLE: series(f"{visible} " * 22), RUNNING: series(f"{running} " * 22),
        SUCCEEDED: series(f"{succeeded} " * 24),
    }  # fmt: skip
    assert state(alarm("stalled"), reading, data, BEGIN + 23) == expected  # the newest two of AWS's own are late


@every_reading
@pytest.mark.parametrize(
    ("needed", "reporting", "expected"),
    [
        ("5", "3", "ALARM"),
        ("5", "5", "OK"),
        ("50", "10", "OK"),  # more than are allowed is the alarm at-risk's concern
        ("50", "9", "ALARM"),
        ("0", "2", "OK"),
        ("-", "-", "OK"),
    ],
)
def test_below_desired_counts_what_is_needed_and_allowed_against_what_reports(
    reading: Reading, needed: str, reporting: str, expected: State
) -> None:
    data = {NEEDED: series(f"{needed} " * 12), REPORTING: series(f"{reporting} " * 12)}
    assert state(alarm("below-desired"), reading, data, BEGIN + 11) == expected


@pytest.mark.parametrize(
    ("name", "metric", "points", "expected"),
    [
        ("late", ("SlackSeconds", "Maximum"), "60 -1 -5 -9", "ALARM"),
        ("late", ("SlackSeconds", "Maximum"), "-1 -5 9", "OK"),
        ("at-risk", NEEDED, "11 12 12 11 11", "ALARM"),
        ("at-risk", NEEDED, "11 12 12 11 10", "OK"),
        ("dead-letters", VISIBLE, "0 1", "ALARM"),
        ("dead-letters", VISIBLE, "1 0", "OK"),
        ("crashes", ("AbnormalLeavings", "Sum"), "1 - 4 - 2", "ALARM"),
        ("crashes", ("AbnormalLeavings", "Sum"), "- - - - 16", "OK"),
        ("late", ("SlackSeconds", "Maximum"), "- - -", "OK"),
    ],
)
def test_each_alarm_for_people_rings_for_its_own_trouble(
    name: str, metric: tuple[str, str], points: str, expected: State
) -> None:
    end = BEGIN + len(points.split()) - 1
    assert state(alarm(name), Reading(), {metric: series(points)}, end) == expected


def scaled(deployment: Deployment, reading: Reading = USUAL, more: int = MORE) -> Scaler:
    alarms = [one for one in deployment.alarms if one.actions]  # the others would tell people
    return Scaler(deployment.target, deployment.policies, alarms, deployment.schedules, reading, more)


def played(
    needed: dict[int, float],
    reporting: dict[int, float],
    visible: dict[int, float],
    *,
    minutes: range,
    desired: int = 0,
    reading: Reading = READINGS[0],
    more: int = MORE,
) -> list[int]:
    """Give what the template wants each minute, in UTC from midnight on; no schedule is due then."""
    scaler = scaled(read(MaxContainers=100), reading, more)
    scaler.target = scaler.target.bounded(desired)
    data = {NEEDED: needed, REPORTING: reporting, VISIBLE: visible}
    wanted = []
    for now in minutes:
        seen = {name: {at: value for at, value in points.items() if at < now} for name, points in data.items()}

        def source(query: Query, seen: Mapping[tuple[str, str], Series] = seen) -> Series:
            return known(seen, query)

        wanted.append(scaler.minute(now, source, scaler.target.desired))
    return wanted


@pytest.mark.parametrize("need", [*range(1, 40), 50, 51, 99, 100, 101, 5000])
def test_the_fleet_goes_from_zero_to_what_is_needed_in_one_minute(need: int) -> None:
    wanted = played({BEGIN: need}, {BEGIN: 1}, {}, minutes=range(BEGIN + 1, BEGIN + 2))[0]
    assert min(need, 100) <= wanted <= min(100, need * 4 / 3 + 1)


@every_reading
def test_a_gap_in_the_containers_own_metrics_removes_no_container(reading: Reading) -> None:
    before = {BEGIN + at: 8.0 for at in range(3)}
    waiting = {BEGIN + at: 900.0 for at in range(40)}
    wanted = played(before, before, waiting, minutes=range(BEGIN + 1, BEGIN + 40), reading=reading)
    assert min(wanted) == 8
    assert max(wanted) <= 8 + 4  # at most one more in ten minutes


@every_reading
@pytest.mark.parametrize("more", [0, 1, 2, 3])
def test_the_container_that_wakes_the_fleet_is_not_taken_back_by_the_last_zeros(reading: Reading, more: int) -> None:
    """The fleet has gone to zero; its last two words were that nothing is needed; then messages come."""
    needed = {BEGIN: 1.0, BEGIN + 1: 0.0, BEGIN + 2: 0.0, BEGIN + 3: 0.0}
    visible = {BEGIN + at: 0.0 if at < 4 else 50.0 for at in range(20)}
    wanted = played(
        needed, dict.fromkeys(needed, 1.0), visible,
        minutes=range(BEGIN + 1, BEGIN + 20), desired=1, reading=reading, more=more,
    )  # fmt: skip
    woken = wanted.index(1, wanted.index(0))
    assert woken <= 12
    assert wanted[woken : woken + 9] == [1] * len(wanted[woken : woken + 9])  # then it would be joined by another


def test_a_drained_fleet_is_at_zero_after_two_datapoints_and_not_after_one() -> None:
    assert played({BEGIN: 3, BEGIN + 1: 0}, {}, {}, minutes=range(BEGIN + 1, BEGIN + 4)) == [3, 3, 3]
    zeros = {BEGIN: 3.0, BEGIN + 1: 0.0, BEGIN + 2: 0.0}
    assert played(zeros, {}, {}, minutes=range(BEGIN + 1, BEGIN + 4)) == [3, 3, 0]


def test_a_day_opens_grows_drains_and_closes() -> None:
    scaler = scaled(read(OpenContainers=2, MaxContainers=10))
    midnight = BEGIN
    needed = {midnight + at: 2.0 for at in range(237, 242)} | {midnight + at: 7.0 for at in range(242, 400)}
    needed |= {midnight + at: 0.0 for at in range(400, 404)}
    wanted = {}
    for minute in range(midnight + 230, midnight + 580):
        seen = {at: value for at, value in needed.items() if at < minute}

        def source(query: Query, seen: Series = seen) -> Series:
            return known({NEEDED: seen, REPORTING: seen}, query)

        wanted[minute - midnight] = scaler.minute(minute, source, scaler.target.desired)
    changes = [(minute, count) for minute, count in wanted.items() if count != wanted.get(minute - 1)]
    assert changes == [(230, 0), (237, 2), (243, 8), (402, 0)]
    assert (scaler.target.minimum, scaler.target.maximum) == (0, 0)  # closed at 09:30, whatever comes

"""Alarms against the tables of the CloudWatch user guide, "How alarm state is evaluated when data is missing"."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import pytest

from consumer.fleet.cloud.alarms import Alarm, Missing, Watch, judge, latest
from consumer.fleet.cloud.metricmath import Query, Source
from support.series import BEGIN, series, until

if TYPE_CHECKING:
    from consumer.fleet.cloud.alarms import Comparison, State

METRIC = Query("m", Source("Test", "m", (), "Maximum"))
THREE = Alarm("three", (METRIC,), "GreaterThanThreshold", 5, evaluation_periods=3, datapoints_to_alarm=3)
TWO_OF_THREE = replace(THREE, datapoints_to_alarm=2)
NONE: State = "INSUFFICIENT_DATA"


def judged(alarm: Alarm, points: str, missing: Missing, before: State = "OK") -> State:
    """Judge by datapoints as the guide writes them: X breaches, 0 does not, - is missing; the last is newest."""
    known = series(points.replace("X", "9"))
    return judge(replace(alarm, missing=missing), known, BEGIN + len(points.split()) - 1, before)


@pytest.mark.parametrize(
    ("points", "missing", "ignore", "breaching", "not_breaching"),
    [
        ("0 - X - X", "OK", "OK", "OK", "OK"),
        ("0 - - - -", "OK", "OK", "OK", "OK"),
        ("- - - - -", NONE, "kept", "ALARM", "OK"),
        ("0 X X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
        ("- - - - X", NONE, "kept", "ALARM", "OK"),
        ("- - - X -", NONE, "kept", "ALARM", "OK"),
        ("- - X - -", "ALARM", "kept", "ALARM", "OK"),
        ("X - - - -", "ALARM", "kept", "ALARM", "OK"),
    ],
)
def test_three_of_three_is_judged_as_in_the_guides_table(
    points: str, missing: State, ignore: str, breaching: State, not_breaching: State
) -> None:
    kept: State
    for kept in ("OK", "ALARM", NONE):
        found = [judged(THREE, points, treated, kept) for treated in ("missing", "ignore", "breaching", "notBreaching")]
        assert found == [missing, kept if ignore == "kept" else ignore, breaching, not_breaching]


@pytest.mark.parametrize(
    ("points", "missing", "ignore", "breaching", "not_breaching"),
    [
        ("0 - X - X", "ALARM", "ALARM", "ALARM", "ALARM"),
        ("0 0 X 0 X", "ALARM", "ALARM", "ALARM", "ALARM"),
        ("0 - X - -", "OK", "OK", "ALARM", "OK"),
        ("- - - - 0", "OK", "OK", "ALARM", "OK"),
        ("- - - X -", "ALARM", "kept", "ALARM", "OK"),
        ("- - - - X", NONE, "kept", "ALARM", "OK"),
    ],
)
def test_two_of_three_is_judged_as_in_the_guides_table(
    points: str, missing: State, ignore: str, breaching: State, not_breaching: State
) -> None:
    found = [judged(TWO_OF_THREE, points, treated, "ALARM") for treated in ("missing", "ignore", "breaching")]
    assert found == [missing, "ALARM" if ignore == "kept" else ignore, breaching]
    assert judged(TWO_OF_THREE, points, "notBreaching") == not_breaching


def test_an_alarm_goes_on_judging_the_last_datapoints_for_a_while_after_the_metric_has_stopped() -> None:
    one = replace(THREE, evaluation_periods=1, datapoints_to_alarm=1)
    states = [judged(one, "X" + " -" * gaps, "notBreaching") for gaps in range(4)]
    assert states == ["ALARM", "ALARM", "ALARM", "OK"]


@pytest.mark.parametrize(
    ("comparison", "state_below", "state_at", "state_above"),
    [
        ("GreaterThanThreshold", "OK", "OK", "ALARM"),
        ("GreaterThanOrEqualToThreshold", "OK", "ALARM", "ALARM"),
        ("LessThanThreshold", "ALARM", "OK", "OK"),
        ("LessThanOrEqualToThreshold", "ALARM", "ALARM", "OK"),
    ],
)
def test_each_comparison_has_its_own_idea_of_the_threshold_itself(
    comparison: Comparison, state_below: State, state_at: State, state_above: State
) -> None:
    one = replace(THREE, comparison=comparison, evaluation_periods=1, datapoints_to_alarm=1)
    assert [judged(one, value, "missing") for value in ("4", "5", "6")] == [state_below, state_at, state_above]


def test_the_newest_datapoint_that_there_is_tells_how_far_the_metric_is_from_the_threshold() -> None:
    assert latest(THREE, series("1 7 - -"), BEGIN + 3) == 7
    assert latest(THREE, series("1 - - - - -"), BEGIN + 5) is None


def test_a_watch_remembers_states_and_says_which_alarms_ring_for_an_action() -> None:
    one = replace(THREE, evaluation_periods=1, datapoints_to_alarm=1, missing="ignore", actions=("grow",))
    watch = Watch((one,))
    points = series("X - - - 0".replace("X", "9"))
    rings = []
    for minute in range(BEGIN, BEGIN + 5):
        watch.minute(minute, until(points, minute))
        rings.append([(alarm.name, watch.values[alarm.name]) for alarm in watch.ringing("grow")])
    assert rings == [[("three", 9)]] * 3 + [[("three", None)], []]
    assert watch.values == {"three": None}
    assert not list(watch.ringing("shrink"))


def test_every_way_of_treating_missing_data_is_known() -> None:
    assert {judged(THREE, "- - - - -", treated, "OK") for treated in get_args(Missing)} == {"ALARM", "OK", NONE}

"""The scalable target, its schedules and its policies, against the Application Auto Scaling user guide."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from consumer.fleet.cloud.alarms import Alarm
from consumer.fleet.cloud.cron import Schedule
from consumer.fleet.cloud.metricmath import Query, Source
from consumer.fleet.cloud.scaling import Adjustment, Scaler, Step, StepPolicy, Target, TargetTracking
from support.series import BEGIN, series, until

METRIC = Query("m", Source("Test", "m", (), "Maximum"))
LOAD = (METRIC,)


def above(threshold: float, *actions: str) -> Alarm:
    return Alarm("above", LOAD, "GreaterThanOrEqualToThreshold", threshold, actions=actions, missing="notBreaching")


def below(threshold: float, *actions: str) -> Alarm:
    return Alarm("below", LOAD, "LessThanOrEqualToThreshold", threshold, actions=actions, missing="notBreaching")


def played(scaler: Scaler, points: str, *, running: int | None = None) -> list[int]:
    """Give what is wanted after each datapoint; containers run as soon as they are wanted, or as many as is said."""
    data, wanted = series(points), []
    for minute in range(BEGIN, BEGIN + len(points.split())):
        now = scaler.target.desired if running is None else running
        wanted.append(scaler.minute(minute + 1, until(data, minute), now))
    return wanted


OUT = StepPolicy("out", "PercentChangeInCapacity", (Step(0, 10, 0), Step(10, 20, 10), Step(20, None, 30)), cooldown=0)
IN = StepPolicy(
    "in", "PercentChangeInCapacity", (Step(-10, 0, 0), Step(-20, -10, -10), Step(None, -20, -30)), cooldown=0
)


def test_the_guides_own_example_of_percent_steps_comes_out_as_the_guide_says() -> None:
    scaler = Scaler(Target(1, 100, 10), (OUT, IN), (above(50, "out"), below(50, "in")))
    assert played(scaler, "50 60 70 50 40 30") == [10, 11, 14, 14, 13, 10]


@pytest.mark.parametrize(
    ("distance", "step"),
    [(0, 0), (9.9, 0), (10, 10), (19.9, 10), (20, 30), (1e9, 30), (-1, None)],
)
def test_above_the_threshold_the_lower_bound_is_inclusive_and_the_upper_exclusive(distance: float, step: int) -> None:
    assert [one.change for one in OUT.steps if one.covers(distance)] == ([] if step is None else [step])


@pytest.mark.parametrize(("distance", "step"), [(-1, 0), (-9.9, 0), (-10, -10), (-19.9, -10), (-20, -30), (-1e9, -30)])
def test_below_the_threshold_the_lower_bound_is_exclusive_and_the_upper_inclusive(distance: float, step: int) -> None:
    assert [one.change for one in IN.steps if one.covers(distance)] == [step]


@pytest.mark.parametrize(
    ("adjustment", "change", "least", "capacity", "wanted"),
    [
        ("ChangeInCapacity", 5, 1, 3, 8),
        ("ChangeInCapacity", -5, 1, 3, 0),
        ("ExactCapacity", 5, 1, 3, 5),
        ("ExactCapacity", 0, 1, 3, 0),
        ("PercentChangeInCapacity", 10, 1, 10, 11),
        ("PercentChangeInCapacity", 27, 1, 10, 12),  # 2.7 is rounded down to 2
        ("PercentChangeInCapacity", 10, 1, 4, 5),  # .4 is rounded to 1
        ("PercentChangeInCapacity", -10, 1, 4, 3),
        ("PercentChangeInCapacity", -39, 1, 10, 7),  # -3.9 is rounded up to -3
        ("PercentChangeInCapacity", 25, 2, 4, 6),  # "because you specified a minimum of 2, [it] adds 2"
    ],
)
def test_the_three_types_of_adjustment(
    adjustment: Adjustment, change: int, least: int, capacity: int, wanted: int
) -> None:
    assert StepPolicy("p", adjustment, (Step(0, None, change),), 0, least).wanted(1, capacity) == wanted


def test_a_policy_acts_again_each_minute_for_as_long_as_its_alarm_rings() -> None:
    policy = StepPolicy("add", "ChangeInCapacity", (Step(0, None, 1),), cooldown=60)
    assert played(Scaler(Target(0, 4), (policy,), (above(5, "add"),)), "9 9 9 9 9 9") == [1, 2, 3, 4, 4, 4]


def test_in_the_cooldown_only_a_larger_scale_out_is_made_and_what_was_added_is_part_of_it() -> None:
    policy = StepPolicy("add", "ChangeInCapacity", (Step(0, 10, 2), Step(10, None, 3)), cooldown=300)
    scaler = Scaler(Target(0, 99, 1), (policy,), (above(5, "add"),))
    assert played(scaler, "9 9 19 9 9 9 9 9 9") == [3, 3, 4, 4, 4, 4, 4, 6, 6]


def test_a_scale_in_waits_for_the_cooldown_and_a_scale_out_does_not() -> None:
    follow = StepPolicy("follow", "ExactCapacity", (Step(0, 5, 1), Step(5, None, 4)), cooldown=180)
    scaler = Scaler(Target(0, 9), (follow,), (above(1, "follow"),))
    assert played(scaler, "9 2 2 2 2 9 2") == [4, 4, 4, 1, 1, 4, 4]


def test_the_largest_capacity_wins_where_policies_disagree() -> None:
    policies = (
        StepPolicy("two", "ExactCapacity", (Step(0, None, 2),)),
        StepPolicy("six", "ExactCapacity", (Step(0, None, 6),)),
    )
    assert played(Scaler(Target(0, 9), policies, (above(1, "two", "six"),)), "9") == [6]


def test_no_policy_goes_beyond_the_bounds() -> None:
    policy = StepPolicy("many", "ExactCapacity", (Step(0, None, 250),))
    assert played(Scaler(Target(2, 10, 2), (policy,), (above(5, "many"),)), "1 9") == [2, 10]


def test_a_scheduled_action_sets_bounds_and_acts_at_once_whatever_cools_down() -> None:
    utc = ZoneInfo("UTC")  # the datapoints begin at midnight, and are acted on a minute later
    schedules = (
        Schedule("open", "cron(2 0 * * ? *)", utc, 3, 8),
        Schedule("free", "cron(4 0 * * ? *)", utc, 0),
        Schedule("close", "cron(6 0 * * ? *)", utc, 0, 0),
    )
    policy = StepPolicy("many", "ExactCapacity", (Step(0, None, 9),), cooldown=600)
    scaler = Scaler(Target(0, 9), (policy,), (above(5, "many"),), schedules)
    assert played(scaler, "- - - - 9 9 9") == [0, 3, 3, 3, 8, 0, 0]
    assert scaler.target == Target(0, 0, 0)


def test_without_data_no_step_is_taken() -> None:
    policy = StepPolicy("one", "ExactCapacity", (Step(0, None, 1),))
    alarm = Alarm("none", LOAD, "GreaterThanThreshold", 5, missing="breaching", actions=("one",))
    assert played(Scaler(Target(0, 9), (policy,), (alarm,)), "- - - - -") == [0] * 5


TRACK = TargetTracking("track", LOAD, target=10)


def test_target_tracking_waits_for_three_datapoints_above_and_scales_in_proportion() -> None:
    assert played(Scaler(Target(1, 99, 4), (TRACK,), ()), "25 25 25") == [4, 4, 10]


def test_target_tracking_leaves_zero_by_one_container_only() -> None:
    assert played(Scaler(Target(0, 99, 0), (TRACK,), ()), "99 99 99 99", running=0) == [0, 0, 1, 1]


def test_target_tracking_reckons_from_the_containers_that_run() -> None:
    assert played(Scaler(Target(0, 99, 20), (TRACK,), ()), "30 30 30", running=2) == [20] * 3
    assert played(Scaler(Target(0, 99, 2), (TRACK,), ()), "30 30 30", running=5) == [2, 2, 15]


def test_target_tracking_scales_in_only_after_fifteen_datapoints_well_below_the_target() -> None:
    scaler = Scaler(Target(1, 99, 10), (TRACK,), ())
    assert played(scaler, "5 " * 17) == [10] * 14 + [5] * 3
    assert played(Scaler(Target(1, 99, 10), (TRACK,), ()), "9.5 " * 30) == [10] * 30


def test_target_tracking_can_come_to_zero_where_its_metric_does() -> None:
    assert played(Scaler(Target(0, 99, 3), (TRACK,), ()), "0 " * 15)[-1] == 0


def test_of_several_target_tracking_policies_all_must_be_ready_to_scale_in() -> None:
    other = TargetTracking("other", (Query("n", Source("Test", "n", (), "Maximum")),), target=10)
    scaler = Scaler(Target(1, 99, 10), (TRACK, other), ())
    low, high = series("5 " * 20), series("10 " * 20)
    for minute in range(BEGIN, BEGIN + 20):
        scaler.minute(minute + 1, lambda query: low if query.id == "m" else high, 10)
    assert scaler.target.desired == 10


def test_a_policy_whose_scale_in_is_off_only_grows() -> None:
    grows = TargetTracking("grows", LOAD, target=10, scales_in=False)
    assert played(Scaler(Target(1, 99, 10), (grows,), ()), "1 " * 20) == [10] * 20

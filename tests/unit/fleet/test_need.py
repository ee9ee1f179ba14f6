"""How many containers it takes: enough for the deadline, none that finds nothing to do, none sent away too early."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.fleet.need import LAG, MARGIN, Backlog, Fleet, Pace, needed

HOUR = 3600.0
PACE = Pace(165.0, 300.0)
BURST = Backlog(2000, 0, 0)

backlogs = st.builds(Backlog, *(st.integers(0, 5000) for _ in range(3)))
paces = st.builds(lambda mean, more: Pace(mean, mean * more), st.floats(0.1, 900), st.floats(1, 10))
fleets = st.builds(Fleet, st.integers(1, 64), st.integers(0, 50), st.integers(1, 250))
lefts = st.floats(-HOUR, 12 * HOUR)


def test_a_morning_s_burst_needs_what_arithmetic_says() -> None:
    need = needed(BURST, PACE, Fleet(16, 1, 10), 5 * HOUR)
    assert need.containers == 2  # 2,000 x 165 s / 16 are 5.7 hours
    assert need.verdict == "at risk"  # until the second is there
    assert need.slack == pytest.approx(5 * HOUR - 2000 * 165 / 16 / 2 - 300)


def test_an_empty_queue_needs_nobody() -> None:
    need = needed(Backlog(0, 0, 0), PACE, Fleet(16, 3, 10), HOUR)
    assert (need.containers, need.eta, need.slack, need.verdict) == (0, 0.0, HOUR, "drained")


def test_messages_in_hand_keep_a_container() -> None:
    assert needed(Backlog(0, 0, 1), PACE, Fleet(16, 1, 10), HOUR).containers == 1
    assert needed(Backlog(0, 1, 0), PACE, Fleet(16, 0, 10), HOUR).containers == 1


@given(backlogs, paces, fleets, lefts)
def test_containers_that_run_are_kept_while_there_are_messages_for_all(
    backlog: Backlog, pace: Pace, fleet: Fleet, left: float
) -> None:
    useful = math.ceil(backlog.total / fleet.slots)
    assert needed(backlog, pace, fleet, left).containers >= min(fleet.desired, useful)


@given(backlogs, paces, fleets, lefts)
def test_no_container_is_asked_for_that_finds_no_message(
    backlog: Backlog, pace: Pace, fleet: Fleet, left: float
) -> None:
    assert needed(backlog, pace, fleet, left).containers <= math.ceil(backlog.total / fleet.slots)


@given(backlogs, paces, fleets, lefts)
def test_what_is_asked_for_is_enough_by_a_margin_though_it_starts_late(
    backlog: Backlog, pace: Pace, fleet: Fleet, left: float
) -> None:
    asked = needed(backlog, pace, fleet, left).containers
    if asked in {0, math.ceil(backlog.total / fleet.slots)} or not (backlog.visible or backlog.delayed):
        return  # nothing to do, or more would be of no use
    work = (backlog.visible + backlog.delayed + backlog.in_flight / 2) * pace.mean / fleet.slots
    usable = left * (1 - MARGIN) - pace.longest
    done = min(asked, fleet.desired) * usable + max(0, asked - fleet.desired) * (usable - LAG)
    assert done >= work * (1 - 1e-9) or asked == 1


@given(backlogs, paces, fleets, lefts, st.integers(0, 1000), st.floats(0, HOUR))
def test_more_messages_or_less_time_never_need_fewer(
    backlog: Backlog, pace: Pace, fleet: Fleet, left: float, more: int, sooner: float
) -> None:
    asked = needed(backlog, pace, fleet, left).containers
    larger = Backlog(backlog.visible + more, backlog.delayed, backlog.in_flight)
    assert needed(larger, pace, fleet, left).containers >= asked
    assert needed(backlog, pace, fleet, left - sooner).containers >= asked


def test_when_it_is_too_late_all_that_can_help_is_asked_for() -> None:
    need = needed(BURST, PACE, Fleet(16, 2, 10), 0.0)
    assert need.containers == 125  # 2,000 / 16, though the fleet may have ten
    assert need.verdict == "late"
    assert need.slack < 0


def test_late_is_judged_by_the_containers_that_there_may_be() -> None:
    assert needed(BURST, PACE, Fleet(16, 1, 1), 5 * HOUR).verdict == "late"
    assert needed(BURST, PACE, Fleet(16, 1, 2), 5 * HOUR).slack > 0


def test_enough_that_run_are_on_track() -> None:
    assert needed(BURST, PACE, Fleet(16, 2, 10), 5 * HOUR).verdict == "on track"


def test_nothing_is_known_before_the_first_message_unless_something_is_expected() -> None:
    assert Pace.of(0, 0.0, 0.0, expected=None) is None
    assert Pace.of(0, 0.0, 0.0, expected=165.0) == Pace(165.0, 330.0)


def test_the_first_few_messages_do_not_overrule_what_was_expected() -> None:
    pace = Pace.of(2, 60.0, 31.0, expected=165.0)
    assert pace is not None
    assert pace.mean == pytest.approx((60 + 50 * 165) / 52)


def test_many_messages_do() -> None:
    pace = Pace.of(5000, 5000 * 330.0, 600.0, expected=165.0)
    assert pace is not None
    assert pace.mean == pytest.approx(330.0, rel=0.01)
    assert pace.longest == pytest.approx(2 * pace.mean)


@given(st.integers(1, 500), paces, fleets, lefts)
def test_once_all_is_in_hand_the_longest_run_is_all_that_is_waited_for(
    in_hand: int, pace: Pace, fleet: Fleet, left: float
) -> None:
    need = needed(Backlog(0, 0, in_hand), pace, fleet, left)
    if in_hand <= fleet.slots * fleet.desired:
        assert need.eta == pace.longest
        assert need.verdict == ("late" if left < pace.longest else "on track")
    else:
        assert need.eta > pace.longest, "some wait for their next attempt"


def test_no_run_is_taken_to_be_longer_than_it_may_be() -> None:
    assert Pace.of(0, 0.0, 0.0, expected=600.0, limit=910.0) == Pace(600.0, 910.0)
    assert Pace.of(0, 0.0, 0.0, expected=100.0, limit=910.0) == Pace(100.0, 200.0)
    assert Pace.of(100, 10_000.0, 950.0, expected=None, limit=910.0) == Pace(100.0, 950.0), "one has been"
    assert Pace.of(0, 0.0, 0.0, expected=2400.0, limit=910.0) == Pace(2400.0, 2400.0)


def test_the_longest_that_was_seen_counts() -> None:
    assert Pace.of(100, 1000.0, 300.0, expected=None) == Pace(10.0, 300.0)


def test_what_was_asked_for_is_held_until_the_service_has_heard_it() -> None:
    on_the_way = Fleet(16, 1, 10, asked=2)
    assert needed(Backlog(900, 0, 0), PACE, on_the_way, 5 * HOUR).containers == 2  # though one would do
    assert needed(Backlog(900, 0, 0), PACE, Fleet(16, 1, 10), 5 * HOUR).containers == 1


def test_no_more_is_held_than_there_may_be_or_is_of_use() -> None:
    assert needed(Backlog(900, 0, 0), PACE, Fleet(16, 1, 3, asked=9), 5 * HOUR).containers == 3
    assert needed(Backlog(20, 0, 0), PACE, Fleet(16, 1, 10, asked=9), 5 * HOUR).containers == 2

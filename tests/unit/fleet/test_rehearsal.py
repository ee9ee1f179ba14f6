"""A rehearsed day: every message is accounted for, every second is billed, and the same seed is the same day."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consumer.fleet.planning.workload import HOUR
from consumer.fleet.rehearsal.arrivals import Burst, Trickle
from consumer.fleet.rehearsal.day import day as rehearse
from consumer.fleet.rehearsal.durations import Between, Lognormal
from support.rehearsals import DEADLINE, DEPLOYED, OPENS, Follow, played, scene

few = settings(max_examples=15)


def test_a_usual_morning_is_done_in_time_at_little_more_than_the_least() -> None:
    day = played(scene())
    assert day.succeeded == day.messages == 2000
    assert day.deadline_made
    assert day.feasible
    assert day.finish is not None
    assert OPENS < day.finish < DEADLINE
    assert day.peak_containers == 2
    assert day.over_bound is not None
    assert 1.0 < day.over_bound < 1.08
    assert day.cost == pytest.approx(day.container_seconds * 1e-5)


@few
@given(
    st.integers(0, 400), st.integers(0, 10_000), st.floats(0, 0.1), st.floats(0, 0.05), st.sampled_from([0, 1200, 300])
)
def test_every_message_is_done_or_dead_whatever_happens(
    count: int, seed: int, failing: float, crashing: float, spot_every: float
) -> None:
    day = played(scene(count, failing=failing, crashing=crashing, spot_every=spot_every), seed, spot=0.5)
    assert day.messages == count
    assert day.succeeded + day.dead == count


@few
@given(st.integers(0, 10_000), st.integers(600, 3000))
def test_scale_in_never_interrupts_a_message(seed: int, count: int) -> None:
    day = played(scene(arrivals=Trickle(OPENS, OPENS + 2 * HOUR, count)), seed)
    assert day.interrupted == 0
    assert day.succeeded == count


@few
@example(948, 52)
@given(st.integers(0, 10_000), st.integers(1, 600))
def test_a_message_that_comes_while_the_fleet_goes_to_zero_may_be_interrupted_and_is_done(
    seed: int, count: int
) -> None:
    """Where none is wanted, no protection is given: so few messages let the fleet drain again and again."""
    day = played(scene(arrivals=Trickle(OPENS, OPENS + 2 * HOUR, count)), seed)
    assert day.succeeded == count
    assert day.interrupted <= 1 + count // 20


@few
@given(st.integers(0, 10_000))
def test_the_same_seed_is_the_same_day(seed: int) -> None:
    where = scene(300, failing=0.05, crashing=0.02, spot_every=1200)
    assert played(where, seed, spot=0.5) == played(where, seed, spot=0.5)


def test_another_seed_is_another_day() -> None:
    assert played(scene(300), 1).lower_bound_seconds != played(scene(300), 2).lower_bound_seconds


def test_other_rules_have_the_same_messages() -> None:
    slow, fast = played(scene(), planner=Follow(most=1)), played(scene(), planner=Follow(most=9))
    assert slow.lower_bound_seconds == fast.lower_bound_seconds
    assert slow.feasible == fast.feasible


def test_a_spot_interruption_gives_back_what_the_drain_has_no_time_for() -> None:
    day = played(scene(spot_every=600), spot=1.0)
    assert day.interrupted > 0
    assert day.succeeded == 2000
    assert day.cost == pytest.approx(day.container_seconds * 3e-6)


def test_what_ends_within_the_drain_is_not_interrupted() -> None:
    day = played(scene(durations=Between(10.0, 50.0, 90.0), spot_every=600), spot=1.0)
    assert day.started > day.peak_containers  # some were interrupted
    assert day.interrupted == 0


def test_a_deployment_replaces_every_container_and_interrupts_nothing() -> None:
    planner = Follow()
    day = played(scene(deploy_at=5 * HOUR), planner=planner)
    assert planner.applied == 1
    assert day.started == 4
    assert day.interrupted == 0
    assert day.deadline_made


def test_without_metrics_nothing_is_scaled() -> None:
    day = played(scene(gap=6 * HOUR))
    assert day.peak_containers == 1
    assert not day.deadline_made
    assert day.warned is None


def test_people_are_told_of_a_day_that_cannot_be_made() -> None:
    day = played(scene(20_000))
    assert not day.feasible
    assert day.warned is not None
    assert day.warned <= OPENS + 900


def test_a_deadline_is_missed_only_by_what_is_not_done() -> None:
    assert not played(scene(), planner=Follow(most=1)).deadline_made
    assert played(scene(0)).deadline_made


def test_a_day_without_messages_costs_what_the_fleet_is_opened_for() -> None:
    day = played(scene(0))
    assert (day.started, day.succeeded) == (1, 0)
    assert day.container_seconds > 600


def test_a_failed_run_comes_again_and_a_message_that_always_fails_is_dead() -> None:
    day = played(scene(50, failing=1.0))
    assert (day.failed, day.dead, day.succeeded) == (250, 50, 0)


def test_a_crash_costs_no_message() -> None:
    day = played(scene(500, crashing=0.05))
    assert day.crashed > 10
    assert day.succeeded == 500


def test_a_message_that_always_ends_its_process_is_dead_after_three_ends() -> None:
    day = played(scene(50, crashing=1.0))
    assert (day.crashed, day.dead, day.succeeded) == (150, 50, 0)
    assert day.finish is not None


def test_only_a_day_on_which_all_was_done_is_compared_with_the_least() -> None:
    left = played(scene(), planner=Follow(most=1, closes=DEADLINE))
    assert left.finish is None
    assert left.over_bound is None
    assert played(scene(0)).over_bound is None


def test_what_is_told_before_the_window_is_heard() -> None:
    planner = Follow()
    played(scene(100), planner=planner)
    assert min(planner.heard) < OPENS // 60 - 1
    gap = Follow()
    played(scene(100, gap=900), planner=gap)
    assert min(gap.heard) == min(planner.heard)
    assert not any(OPENS <= minute * 60 < OPENS + 900 for minute in gap.heard)


def test_the_least_is_below_what_any_day_takes() -> None:
    for seed in range(5):
        day = played(scene(500, durations=Lognormal(60.0, 1.0)), seed)
        assert day.container_seconds > day.lower_bound_seconds


def test_each_minute_is_on_the_timeline_and_the_end_too() -> None:
    line = played(scene(100)).timeline
    assert max(one.running for one in line) == 1
    assert line[0].now == OPENS - HOUR
    assert (line[-1].backlog, line[-1].running) == (0, 0)
    assert {later.now - one.now for one, later in pairwise(line[:-1])} == {60.0}


def test_minutes_are_told_as_they_pass() -> None:
    told: list[float] = []
    day = rehearse(DEPLOYED, Follow(), scene(100), 1, tell=told.append)
    assert told == [one.now for one in day.timeline[:-1]]


def test_memory_does_not_grow_with_the_messages() -> None:
    def peak(count: int) -> int:
        each = 2_000 / count  # seconds: a longer day has more minutes, which are kept
        tracemalloc.start()
        played(scene(arrivals=Burst(OPENS, count), durations=Between(0.5 * each, each, 1.5 * each)))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(500)  # whatever is loaded only once
    assert peak(10_000) - peak(2_000) < 8_000 * 8  # a float for each would be too much

"""Capacity: the fleet that is planned is done in time, by list scheduling, within every limit, and is the smallest."""

from __future__ import annotations

import heapq
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from consumer.fleet.cloud.sizes import SIZES, Size
from consumer.fleet.need import Backlog, Fleet, Pace, needed
from consumer.fleet.planning import capacity
from consumer.fleet.planning.bills import NEAR, bill, recommended
from consumer.fleet.planning.calibration import Calibration
from consumer.fleet.planning.capacity import Limits, Shape
from consumer.limits import MOST_PROCESSES
from support.plans import HOUR, TOKYO, USUAL, calibrations, runs, workloads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.fleet.planning.workload import Workload

LITTLE = 1e-6  # seconds that a sum of fractions may be off

few = settings(max_examples=20)  # each plans all sizes and counts of processes


def list_scheduled(seconds: Iterable[float], slots: int) -> float:
    """Give the time when the last run ends, each started as soon as a slot is free."""
    free = [0.0] * slots
    for run in seconds:
        heapq.heapreplace(free, free[0] + run)
    return max(free)


@given(st.data())
def test_in_whatever_order_messages_come_all_are_done_when_the_plan_says(data: st.DataObject) -> None:
    load = data.draw(workloads(most=60))
    slots = data.draw(st.integers(1, 20))
    seconds = data.draw(st.permutations(data.draw(runs(load))))
    assert list_scheduled(seconds, slots) <= capacity.makespan(load, slots) + LITTLE


@few
@given(load=workloads(), figures=calibrations)
def test_the_planned_fleet_is_done_before_the_deadline(load: Workload, figures: Calibration) -> None:
    for fleet in capacity.fleets(load, figures, Limits()):
        assert capacity.finish(load, fleet.shape.slots, fleet.containers) <= load.window


def test_a_day_of_two_thousand_messages_drawn_at_random_is_done_in_time_by_the_recommended_fleet() -> None:
    fleet = recommended(USUAL, capacity.fleets(USUAL, TOKYO.figures, Limits()), TOKYO)
    assert fleet is not None
    seconds = [30.05 + 270 * (number * 0.618034 % 1) for number in range(2000)]  # evenly
    ended = capacity.started(fleet.containers) + list_scheduled(seconds, fleet.slots)
    assert ended <= capacity.finish(USUAL, fleet.shape.slots, fleet.containers) <= USUAL.window
    assert ended >= 0.95 * capacity.finish(USUAL, fleet.shape.slots, fleet.containers)


@given(load=workloads(), slots=st.integers(1, 100))
def test_one_container_less_would_not_be_enough(load: Workload, slots: int) -> None:
    containers = capacity.enough(load, slots)
    assume(containers is not None and containers > 1)
    assert containers is not None
    fewer = containers - 1
    seconds = (load.window - capacity.started(fewer)) * 0.95 - load.longest_turn
    assert fewer * slots * seconds < load.work
    assert fewer * slots < load.messages


@given(load=workloads(), slots=st.integers(1, 100))
def test_the_fleet_itself_asks_for_no_more_than_was_planned(load: Workload, slots: int) -> None:
    planned = capacity.enough(load, slots)
    assume(planned is not None)
    assert planned is not None
    left = load.window - capacity.started(planned)
    found = needed(
        Backlog(load.messages, 0, 0), Pace(load.turn, load.longest_turn), Fleet(slots, planned, planned), left
    )
    assert found.containers == planned
    assert found.verdict == "on track"


@given(load=workloads(), slots=st.integers(1, 100), more=st.integers(1, 10_000))
def test_more_messages_never_need_fewer_containers(load: Workload, slots: int, more: int) -> None:
    fewer, rather = capacity.enough(load, slots), capacity.enough(replace(load, messages=load.messages + more), slots)
    assert (fewer or math.inf) <= (rather or math.inf)  # None: so many take too long to launch


@given(load=workloads(), figures=calibrations, more=st.integers(1, 10_000))
@example(load=USUAL, figures=Calibration(), more=1)
def test_more_messages_never_cost_less(load: Workload, figures: Calibration, more: int) -> None:
    market = replace(TOKYO, figures=figures)
    for size in SIZES[::7]:
        room = min(capacity.holds(size, figures, 1, load.turn))
        fleets = [
            capacity.fleet(one, Shape(size, room), Limits())
            for one in (load, replace(load, messages=load.messages + more))
            if room
        ]
        if all(fleets) and fleets:
            bills = [
                bill(one, fleet, market)
                for one, fleet in zip((load, replace(load, messages=load.messages + more)), fleets, strict=True)
                if fleet
            ]
            assert bills[0].day < bills[1].day
            assert bills[0].month < bills[1].month
            assert bills[0].after_free <= bills[1].after_free


@few
@given(load=workloads(), figures=calibrations, concurrency=st.integers(1, 8))
def test_every_planned_container_is_one_of_fargate_s_and_holds_its_processes(
    load: Workload, figures: Calibration, concurrency: int
) -> None:
    for fleet in capacity.fleets(load, figures, Limits(), concurrency=concurrency):
        shape = fleet.shape
        assert shape.size in SIZES
        assert 1 <= shape.processes <= MOST_PROCESSES
        assert figures.memory(shape.processes, concurrency) <= 0.85 * shape.size.memory + LITTLE
        assert figures.cpu(shape.processes, concurrency, load.turn) <= 0.8 * shape.size.vcpu + LITTLE
        assert 1 <= fleet.containers <= fleet.most <= capacity.MOST_CONTAINERS


@few
@given(load=workloads(), connections=st.integers(1, 5000), parallel=st.integers(1, 5000))
def test_no_limit_is_ever_passed_on_bad_days_neither(load: Workload, connections: int, parallel: int) -> None:
    for fleet in capacity.fleets(load, Calibration(), Limits(connections, parallel)):
        assert capacity.connections(fleet.shape, fleet.most) <= connections
        assert fleet.most * fleet.shape.slots <= min(parallel, capacity.IN_FLIGHT)


@few
@given(load=workloads())
def test_what_is_recommended_costs_hardly_more_than_the_cheapest(load: Workload) -> None:
    fleets = capacity.fleets(load, TOKYO.figures, Limits())
    best = recommended(load, fleets, TOKYO)
    assert (best is None) == (not fleets)
    if best:
        cheapest = min(bill(load, one, TOKYO).month for one in fleets)
        assert bill(load, best, TOKYO).month <= NEAR * cheapest


def test_the_usual_day_takes_two_small_containers() -> None:
    best = recommended(USUAL, capacity.fleets(USUAL, TOKYO.figures, Limits()), TOKYO)
    assert best == capacity.Fleet(Shape(Size(256, 1024), 12), 2, 5)


@pytest.mark.parametrize(("slots", "containers"), [(1, 20), (2, 10), (8, 3), (12, 2), (16, 2), (20, 1), (32, 1)])
def test_the_usual_day_needs_twenty_messages_at_once(slots: int, containers: int) -> None:
    assert capacity.enough(USUAL, slots) == containers


def test_there_are_never_more_containers_than_messages_for_them() -> None:
    hurried = replace(USUAL, messages=10, deadline=USUAL.opens + 450)
    assert capacity.enough(hurried, 4) == 3


def test_a_window_over_midnight_is_as_long_as_any_other() -> None:
    assert replace(USUAL, opens=22 * HOUR, deadline=3 * HOUR).window == USUAL.window
    assert replace(USUAL, opens=HOUR, deadline=HOUR).window == 24 * HOUR


@pytest.mark.parametrize(("minutes", "containers"), [(5, None), (6, None), (7, 17), (10, 15), (60, 1)])
def test_the_longest_message_must_fit_behind_a_container_s_start(minutes: float, containers: int | None) -> None:
    short = replace(USUAL, messages=200, deadline=USUAL.opens + 60 * minutes)
    assert capacity.enough(short, 12) == containers


@pytest.mark.parametrize(("containers", "seconds"), [(1, 90), (100, 90), (101, 90.05), (500, 110)])
def test_fargate_launches_a_hundred_at_once_and_then_twenty_a_second(containers: int, seconds: float) -> None:
    assert capacity.started(containers) == pytest.approx(seconds)


def test_a_process_takes_a_connection_for_itself_and_one_per_message_and_a_deployment_doubles_the_fleet() -> None:
    assert capacity.connections(Shape(Size(256, 1024), 12), 2) == 2 * 2 * (12 * 2 + 1)
    assert capacity.connections(Shape(Size(256, 1024), 4, 8), 1) == 2 * (4 * 9 + 1)


def test_memory_and_cpu_bound_the_processes_of_a_container() -> None:
    assert capacity.holds(Size(256, 512), Calibration(), 1, 0.25) == (5, 4)
    assert capacity.holds(Size(256, 512), Calibration(), 1, 165) == (5, 19)
    assert capacity.holds(Size(256, 1024), Calibration(), 1, 165) == (12, 19)
    assert capacity.holds(Size(1024, 2048), Calibration(), 4, 165) == (7, 19)
    assert capacity.holds(Size(256, 512), Calibration(message_mib=600), 1, 165) == (0, 19)
    nothing = Calibration(process_mib=0, message_mib=0, message_cpu=0, each_cpu_s=0)
    assert capacity.holds(Size(256, 512), nothing, 1, 165) == (500, 500)


def test_more_processes_than_were_ever_measured_are_planned_only_for_a_measured_handler() -> None:
    known = Calibration(known=frozenset({"message_mib", "message_cpu"}))
    assert max(one.shape.processes for one in capacity.fleets(USUAL, Calibration(), Limits())) == 16
    assert max(one.shape.processes for one in capacity.fleets(USUAL, known, Limits())) == 500


def test_or_where_fewer_would_never_do() -> None:
    crowd = replace(USUAL, messages=2_000_000)
    fleets = capacity.fleets(crowd, Calibration(), Limits())
    assert fleets
    assert all(one.shape.processes > 16 for one in fleets)


def test_a_fleet_that_is_enough_on_a_bad_day_is_preferred() -> None:
    crowd = replace(USUAL, messages=200_000)
    for one in capacity.fleets(crowd, Calibration(), Limits()):
        assert (capacity.enough(capacity.bad_day(crowd), one.shape.slots) or 1000) <= one.most


def test_so_many_processes_as_are_wanted_are_planned() -> None:
    fleets = capacity.fleets(USUAL, Calibration(), Limits(), processes=8)
    assert {one.shape.processes for one in fleets} == {8}
    assert Size(256, 512) not in {one.shape.size for one in fleets}

"""A whole plan: what binds, what is impossible and why, what becomes of it as the messages grow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from consumer.errors import ImpossibleError
from consumer.fleet.planning import capacity
from consumer.fleet.planning.bounds import bears
from consumer.fleet.planning.calibration import Calibration
from consumer.fleet.planning.capacity import Limits
from consumer.fleet.planning.plan import Request, growth, plan
from support.plans import TOKYO, USUAL, workloads

if TYPE_CHECKING:
    from consumer.fleet.planning.workload import Workload


def shares(request: Request) -> dict[str, float]:
    return {bound.key: bound.share for bound in plan(request).bounds}


def test_the_offers_begin_with_what_is_recommended() -> None:
    found = plan(Request(USUAL, TOKYO))
    assert found.offers[0].key == "fargate_arm"
    assert (found.offers[0].at_once, found.offers[0].processes) == (found.fleet.containers, 12)


def test_the_tightest_bound_comes_first() -> None:
    found = shares(Request(USUAL, TOKYO, Limits(connections=260, parallel=1000)))
    assert list(found) == ["memory", "connections", "cpu", "parallel", "processes", "containers", "in_flight", "launch"]
    assert found["memory"] == pytest.approx(847 / 870.4)
    assert found["connections"] == pytest.approx(250 / 260)
    assert found["in_flight"] == pytest.approx(60 / 120_000)


def test_a_bound_that_nobody_has_named_is_none() -> None:
    assert not {"connections", "parallel"} & shares(Request(USUAL, TOKYO)).keys()


@settings(max_examples=20)
@given(load=workloads())
def test_no_recommended_fleet_passes_a_bound(load: Workload) -> None:
    try:
        found = plan(Request(load, TOKYO, Limits(connections=2000)))
    except ImpossibleError:
        return
    assert all(bound.share <= 1 for bound in found.bounds)


@given(load=workloads())
def test_what_a_fleet_bears_is_what_it_is_enough_for_to_a_message(load: Workload) -> None:
    messages = bears(load, 12, 3)
    if messages:  # one more or fewer: seconds are floats
        assert messages >= 36, "one in each slot"
        assert capacity.enough(replace(load, messages=messages - 1), 12) == 3
        assert capacity.enough(replace(load, messages=messages + 2), 12) == 4


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Request(replace(USUAL, deadline=USUAL.opens + 360), TOKYO), "a message of 300 s does not fit into 6 minutes"),
        (Request(USUAL, TOKYO, processes=501), "no container of Fargate's holds 501 processes"),
        (Request(USUAL, replace(TOKYO, figures=Calibration(message_mib=200_000))), "holds 1 process of"),
        (Request(USUAL, TOKYO, Limits(parallel=19)), "it takes 20 messages at once, and --parallel allows 19"),
        (Request(USUAL, TOKYO, Limits(connections=40)), "40 connections to the ledger's database are enough for 10"),
        (Request(replace(USUAL, messages=20_000_000), TOKYO), "SQS allows 120,000"),
        (Request(replace(USUAL, messages=2_000_000), TOKYO, processes=2), "250 containers hold 500"),
        (Request(USUAL, TOKYO, Limits(parallel=20), processes=16), "no whole number of containers"),
    ],
)
def test_what_is_impossible_is_refused_with_the_reason(request_: Request, said: str) -> None:
    with pytest.raises(ImpossibleError) as caught:
        plan(request_)
    assert said in str(caught.value)


def test_a_plan_keeps_to_what_an_outside_api_bears() -> None:
    found = plan(Request(USUAL, TOKYO, Limits(parallel=20)))
    assert found.fleet.most * found.fleet.shape.slots <= 20


def test_growth_plans_for_ten_a_hundred_and_a_thousand_times_the_messages() -> None:
    stages = growth(Request(USUAL, TOKYO))
    assert [stage.messages for stage in stages] == [2000, 20_000, 200_000, 2_000_000]
    assert all(stage.fleet and stage.fleet.most <= 250 for stage in stages)
    days = [stage.bill.day for stage in stages if stage.bill]
    assert days == sorted(days)
    assert len(days) == 4


def test_growth_says_what_binds_first_and_where_it_ends() -> None:
    stages = growth(Request(USUAL, TOKYO, Limits(connections=3000)))
    assert [stage.tightest.key for stage in stages if stage.tightest] == ["connections", "connections"]
    assert [bool(stage.fleet) for stage in stages] == [True, True, False, False]
    assert "3,000 connections" in stages[2].why

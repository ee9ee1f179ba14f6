"""Bills and alternatives, by value where a person can work them out, and in the order that they must have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from consumer.fleet.cloud.sizes import Size
from consumer.fleet.planning import capacity, price
from consumer.fleet.planning.bills import ALARM_METRICS, METRICS, Market, bill
from consumer.fleet.planning.calibration import Calibration
from consumer.fleet.planning.capacity import Fleet, Limits, Shape
from consumer.fleet.planning.offers import Offer, advice, offers
from consumer.fleet.planning.plan import Request, plan
from support.plans import HOUR, TOKYO, USUAL, workloads

if TYPE_CHECKING:
    from consumer.fleet.planning.workload import Workload

TWO = Fleet(Shape(Size(256, 1024), 12), 2, 5)
HOURLY = 0.25 * 0.04045 + 0.00442 + 0.005  # dollars of one of them, with its address


def of(load: Workload, market: Market = TOKYO, fleet: Fleet = TWO) -> dict[str, Offer]:
    return {one.key: one for one in offers(load, fleet, market)}


def test_a_fleet_pays_for_its_start_its_work_and_its_end_by_the_second() -> None:
    work = 2000 * 165.05 / 24 + (1 - 1 / 24) * 300.05
    seconds = int(60 + work + 180) + 1
    asked = 2000 * (2 + 165 / 30) * 0.0000004
    assert bill(USUAL, TWO, TOKYO).day == pytest.approx(2 * seconds / HOUR * HOURLY + asked)


def test_a_month_has_thirty_days_and_is_watched() -> None:
    paid = bill(USUAL, TWO, TOKYO)
    assert paid.month == pytest.approx(30 * paid.day + METRICS * 0.3 * 4 / 24 + ALARM_METRICS * 0.1)
    asked = 30 * 2000 * (2 + 165 / 30)
    assert asked < price.FREE.sqs_requests
    assert paid.after_free == pytest.approx(30 * (paid.day - asked / 30 * 0.0000004) + (ALARM_METRICS - 10) * 0.1)


def test_a_container_without_an_address_pays_for_none() -> None:
    private = bill(USUAL, TWO, replace(TOKYO, public_ip=False)).day
    assert bill(USUAL, TWO, TOKYO).day - private == pytest.approx(2 * 14_282 / HOUR * 0.005, rel=0.001)


def test_a_fleet_that_stays_until_the_deadline_pays_for_the_whole_window() -> None:
    asked = 2000 * (2 + 165 / 30) * 0.0000004
    paid = of(USUAL)["fixed"].bill
    assert paid
    assert paid.day == pytest.approx(2 * 5 * HOURLY + asked)


def test_a_task_per_message_pays_a_start_and_a_whole_container_for_each() -> None:
    smallest = 0.25 * 0.04045 + 0.5 * 0.00442 + 0.005
    found = of(USUAL)["batch"]
    assert found.size == "0.25 vCPU, 0.5 GB"
    assert found.bill
    assert found.bill.day == pytest.approx(2000 * (60 + 165) / HOUR * smallest)
    assert found.bill.month == 30 * found.bill.day == found.bill.after_free


def test_a_task_per_message_is_launched_at_twenty_a_second_and_no_faster() -> None:
    crowd = replace(USUAL, messages=2_000_000)
    found = of(crowd)["batch"]
    assert found.finish == pytest.approx(2_000_000 / 20 + 300 + 90)
    assert not found.in_time(crowd)
    assert "20 tasks a second" in found.note


def test_a_function_pays_for_its_memory_while_it_waits() -> None:
    found = of(USUAL)["lambda"]
    seconds = 2000 * 165 * 0.125
    assert (found.size, found.at_once) == ("128 MB", 24)
    assert found.bill
    assert found.bill.day == pytest.approx(seconds * 0.0000133334 + 2000 * 0.0000002 + 4000 * 0.0000004)
    assert found.bill.after_free == pytest.approx((30 * seconds - 400_000) * 0.0000133334)


def test_a_function_that_holds_more_pays_for_more() -> None:
    heavy = replace(TOKYO, figures=Calibration(message_mib=400.5, alone_mib=100))
    assert of(USUAL, heavy)["lambda"].size == "501 MB"


def test_a_function_that_computes_has_the_memory_that_gives_it_as_much_of_a_processor() -> None:
    busy = replace(TOKYO, figures=Calibration(message_cpu=0.5))
    assert of(USUAL, busy)["lambda"].size == "885 MB"


def test_a_function_of_more_memory_than_there_is_is_impossible() -> None:
    huge = replace(TOKYO, figures=Calibration(message_mib=10_193))
    found = of(USUAL, huge)["lambda"]
    assert (found.bill, found.note) == (None, "impossible: it has 10,240 MB at most")
    assert of(USUAL, replace(TOKYO, figures=Calibration(message_mib=10_192)))["lambda"].bill


def test_a_function_that_would_run_for_over_fifteen_minutes_is_impossible() -> None:
    long = replace(USUAL, longest=901.0)
    found = of(long)["lambda"]
    assert (found.bill, found.finish, found.in_time(long)) == (None, None, False)
    assert "15 minutes" in found.note
    assert advice(long, offers(long, TWO, TOKYO)) == "fleet"
    assert of(replace(USUAL, longest=900.0))["lambda"].bill


def test_a_thousand_functions_at_once_are_late_for_too_many_messages() -> None:
    crowd = replace(USUAL, messages=200_000)
    fleet = plan(Request(crowd, TOKYO)).fleet
    found = of(crowd, fleet=fleet)["lambda"]
    assert found.at_once == 1000
    assert not found.in_time(crowd)
    assert found.note == "late, with 1,000 runs at once"


@pytest.mark.parametrize(
    ("messages", "advised"),
    [
        (20, "lambda"),
        (240, "lambda"),
        (280, "lambda while it is free"),
        (900, "lambda while it is free"),
        (1000, "fleet"),
    ],
)
def test_where_a_function_is_cheaper_it_is_said_as_docs_planning_says(messages: int, advised: str) -> None:
    load = replace(USUAL, messages=messages)
    assert advice(load, plan(Request(load, TOKYO)).offers) == advised


def test_a_function_that_is_late_is_never_advised_however_cheap() -> None:
    gift = replace(TOKYO.prices.of("lambda_arm_gb_second"), dollars=0.0)
    cheap = replace(TOKYO, prices=replace(TOKYO.prices, table={**TOKYO.prices.table, "lambda_arm_gb_second": gift}))
    few, many = USUAL, replace(USUAL, messages=200_000)
    assert advice(few, plan(Request(few, cheap)).offers) == "lambda"
    assert advice(many, plan(Request(many, cheap)).offers) == "fleet"


def test_one_and_two_processes_per_container_are_shown_where_there_would_be_more() -> None:
    assert {"one", "two"} <= of(USUAL).keys()
    assert "two" not in of(USUAL, fleet=Fleet(Shape(Size(256, 512), 2), 10, 29))
    assert "one" not in of(USUAL, fleet=Fleet(Shape(Size(256, 512), 1), 20, 58))


def test_what_no_number_of_containers_does_has_no_bill() -> None:
    huge = replace(TOKYO, figures=Calibration(message_mib=200_000))
    for key in ("one", "two", "batch"):
        found = of(USUAL, huge)[key]
        assert (found.bill, found.at_once) == (None, None)
    hurried = replace(USUAL, deadline=USUAL.opens + 430)
    assert of(hurried)["batch"].note == "not in time, whatever the number"


@settings(max_examples=20)
@given(load=workloads())
def test_arm_is_cheaper_than_x86_and_spot_than_either_and_leaving_early_than_staying(load: Workload) -> None:
    fleets = capacity.fleets(load, TOKYO.figures, Limits())
    if not fleets:
        return
    found = of(load, fleet=fleets[0])
    day = {key: one.bill.day for key, one in found.items() if one.bill}
    assert day["fargate_arm_spot"] < day["fargate_arm"] < day["fargate_x86"]
    assert day["fargate_x86_spot"] < day["fargate_x86"]
    assert found["fargate_arm"].in_time(load)
    if load.window > 60 + capacity.makespan(load, fleets[0].slots) + 180:
        assert day["fargate_arm"] <= day["fixed"]


@settings(max_examples=20)
@given(load=workloads())
def test_more_processes_in_a_container_never_cost_more_than_one(load: Workload) -> None:
    fleets = capacity.fleets(load, TOKYO.figures, Limits())
    if fleets and fleets[0].shape.processes > 2:
        found = of(load, fleet=fleets[0])
        one, two = found["one"].bill, found["two"].bill
        if one:  # thousands of containers may take too long to launch
            assert two
            assert two.day <= one.day


def test_a_fleet_that_is_soon_done_is_paid_for_until_it_may_close() -> None:
    few = replace(USUAL, messages=10)
    asked = 10 * (2 + 165 / 30) * 0.0000004
    assert bill(few, TWO, TOKYO).day == pytest.approx(2 * (180 + 900) / HOUR * HOURLY + asked)  # 03:57 to 04:15
    hurried = replace(few, shortest=1.0, mean=2.0, longest=3.0, deadline=few.opens + 600)
    asked = 10 * (2 + 2 / 30) * 0.0000004
    assert bill(hurried, TWO, TOKYO).day == pytest.approx(2 * (180 + 540) / HOUR * HOURLY + asked)

"""A day's messages: when they come, how long they take, and what no fleet can do better than."""

from __future__ import annotations

from array import array
from functools import partial
from statistics import fmean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer import clock
from consumer.fleet.rehearsal.arrivals import Arrivals, Burst, Given, Trickle
from consumer.fleet.rehearsal.durations import Between, Durations, Lognormal, Trace
from consumer.fleet.rehearsal.lowerbound import ideal

HOUR = 3600.0
GIVEN = Given(array("d", [1.0, 2.0, 2.0, 5.0]))


@pytest.mark.parametrize("arrivals", [Burst(5.0, 40), Trickle(5.0, 9.0, 40), GIVEN])
def test_messages_come_in_order_and_as_many_as_were_said(arrivals: Arrivals) -> None:
    times = list(arrivals.times(clock.dice(1)))
    assert times == sorted(times)
    assert sum(count for _, count in times) == arrivals.count


@given(st.integers(0, 100), st.floats(0, 4))
def test_a_scaled_day_has_so_many_times_the_messages(count: int, factor: float) -> None:
    for arrivals in (Burst(5.0, count), Trickle(5.0, 9.0, count), Given(array("d", range(count)))):
        scaled = arrivals.scaled(factor)
        assert scaled.count == round(count * factor)
        came = sum(number for _, number in scaled.times(clock.dice(1)))
        assert abs(came - count * factor) <= 1


def test_a_trickle_is_even() -> None:
    times = [at for at, _ in Trickle(100.0, 200.0, 10_000).times(clock.dice(1))]
    assert min(times) > 100
    assert max(times) < 200
    assert fmean(times) == pytest.approx(150, abs=1)
    assert median(times) == pytest.approx(150, abs=2)


@pytest.mark.parametrize(
    "durations",
    [
        Between(30.0, 165.0, 300.0), Between(30.0, 90.0, 300.0), Between(60.0, 60.0, 60.0), Lognormal(165.0, 0.8),
        Trace(array("d", [1.0, 2.0, 9.0])), Between(1.0, 8.0, 10.0).scaled(3.0), Lognormal(1.0, 0.5).scaled(3.0),
        Trace(array("d", [1.0, 2.0, 9.0])).scaled(0.5), Between(30.0, 30.0, 300.0), Between(30.0, 300.0, 300.0),
    ],
)  # fmt: skip
def test_messages_take_as_long_on_average_as_was_said(durations: Durations) -> None:
    draw = durations.drawer(clock.dice(1))
    assert fmean(draw() for _ in range(40_000)) == pytest.approx(durations.mean, rel=0.03)


@given(st.floats(0.1, 100), st.floats(0, 1), st.floats(0, 100))
def test_no_message_takes_less_than_the_shortest_or_more_than_the_longest(low: float, at: float, width: float) -> None:
    draw = Between(low, low + at * width, low + width).drawer(clock.dice(1))
    for _ in range(50):
        assert low * 0.999 <= draw() <= (low + width) * 1.001


def test_the_ideal_hands_each_message_to_the_first_free_slot() -> None:
    found = ideal(Burst(0.0, 5), Between(10.0, 10.0, 10.0), partial(clock.dice, 1), ready=100.0, slots=2, most=1)
    assert found.messages == 5
    assert found.finish == 130.0  # two, two and one
    assert found.seconds == 25.0  # 50 in two slots


def test_the_ideal_waits_for_messages_that_come_late() -> None:
    found = ideal(Burst(500.0, 1), Between(10.0, 10.0, 10.0), partial(clock.dice, 1), ready=100.0, slots=2, most=1)
    assert found.finish == 510.0


def test_dice_fall_the_same_way_for_the_same_words() -> None:
    assert clock.dice(1, "a").random() == clock.dice(1, "a").random()
    assert clock.dice(1, "a").random() != clock.dice(1, "b").random()
    assert clock.dice(1, "a").random() != clock.dice(2, "a").random()

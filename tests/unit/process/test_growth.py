from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.process.growth import FEWEST, MOST, WARM, Growth, fit, leak


def noise(seed: int, size: float = 1.0) -> list[float]:
    dice = random.Random(seed)
    return [dice.gauss(0, size) for _ in range(1000)]


def told(memory: list[float]) -> list[float]:
    growth = Growth()
    answers = [growth.add(WARM + number, mib) for number, mib in enumerate(memory)]
    return [answer for answer in answers if answer is not None]


@pytest.mark.parametrize("seed", range(5))
def test_a_leak_is_told_once_in_mib_per_100_messages(seed: int) -> None:
    (answer,) = told([60 + 0.5 * number + extra for number, extra in enumerate(noise(seed))])
    assert answer == pytest.approx(50, rel=0.1)


@pytest.mark.parametrize("seed", range(50))
def test_ups_and_downs_are_no_leak(seed: int) -> None:
    assert told([60 + extra for extra in noise(seed, 10)]) == []


@pytest.mark.parametrize("at", [5, 12, 15, 20, 25, 60, 200])
def test_a_step_is_no_leak(at: int) -> None:
    steps = [60 + (40 if number > at else 0) + extra for number, extra in enumerate(noise(at, 0.5))]
    assert told(steps) == []


def test_a_cache_that_fills_up_is_no_leak() -> None:
    assert told([60 + 80 * (1 - 0.9**number) for number in range(1000)]) == []


def test_a_little_is_no_leak() -> None:
    assert told([60 + 0.001 * number for number in range(200)]) == []


def test_a_slow_leak_under_noise_is_told_when_it_is_sure() -> None:
    growth = Growth()
    memory = [60 + 0.05 * number + extra for number, extra in enumerate(noise(3, 2))]
    answers = [growth.add(WARM + number, mib) for number, mib in enumerate(memory)]
    assert answers[: FEWEST - 1] == [None] * (FEWEST - 1)
    (answer,) = [one for one in answers if one is not None]
    assert answer == pytest.approx(5, rel=0.5)


def test_samples_are_bounded_and_reach_over_the_whole_life() -> None:
    growth = Growth()
    for number in range(10_000):
        growth.add(WARM + number, 60)
    assert len(growth._samples) <= MOST
    assert growth._samples[0][0] == WARM


@given(st.floats(-10, 10), st.floats(-100, 100))
def test_a_line_is_fitted_by_least_squares(slope: float, start: float) -> None:
    found, error = fit([(float(x), start + slope * x) for x in range(50)])
    assert found == pytest.approx(slope, abs=1e-6)
    assert error < 1e-6


def test_through_one_message_s_samples_goes_no_line() -> None:
    assert leak([(1.0, float(mib)) for mib in range(40)]) is None

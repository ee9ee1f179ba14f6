from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer import errors
from consumer.clock import Clock
from consumer.limits import VISIBILITY_MAX
from consumer.message.backoff import Backoff, Moment, decide, fit, within
from consumer.message.outcome import Outcome, Reject, Retry
from unit.doubles import settings

USUAL = Backoff.of(settings())
PARIS = ZoneInfo("Europe/Paris")


def low(first: float, _: float) -> float:
    return first


def high(_: float, last: float) -> float:
    return last


def test_the_defaults_are_the_contract_s() -> None:
    assert Backoff(30, 3, 900) == USUAL
    assert [USUAL.delay(failures, high) for failures in range(1, 7)] == [30, 90, 270, 810, 900, 900]


def test_an_outage_of_ten_minutes_sends_nothing_to_the_dead_letter_queue() -> None:
    attempts = settings().max_attempts
    assert sum(USUAL.delay(failures, low) for failures in range(1, attempts)) >= 600


def test_jitter_is_not_always_zero() -> None:
    dice = Clock().uniform
    assert len({USUAL.delay(2, dice) for _ in range(50)}) > 40


@given(
    base=st.floats(0, 1000),
    multiplier=st.floats(1, 100),
    cap=st.floats(0, VISIBILITY_MAX),
    failures=st.integers(1, 1000),
    dice=st.floats(0, 1),
)
def test_a_wait_stays_between_half_of_its_ceiling_and_the_cap(
    base: float, multiplier: float, cap: float, failures: int, dice: float
) -> None:
    delay = Backoff(base, multiplier, cap).delay(failures, lambda low, high: low + (high - low) * dice)
    assert min(base, cap) / 2 <= delay <= cap


def test_a_multiplier_that_no_float_can_bear_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="less than or equal"):
        settings(backoff_multiplier=1e10)


@given(delay=st.floats(0, 1e6), base=st.floats(0, 1000), until=st.floats(0, 1e5), run=st.floats(0, 1e4))
def test_a_clipped_wait_leaves_room_for_one_run_and_is_never_below_the_base(
    delay: float, base: float, until: float, run: float
) -> None:
    fitted, late = fit(delay, base=base, until_deadline=until, usual_run=run)
    assert fitted <= delay or late
    if late:
        assert fitted == delay
    else:
        assert fitted + run <= until + 1e-6
        assert fitted == delay or fitted >= base


@pytest.mark.parametrize(
    ("delay", "until", "expected"),
    [
        (300, None, (300, False)),
        (300, 400, (300, False)),  # the run of 100 s ends on the dot
        (300, 399, (299, False)),
        (300, 130, (30, False)),
        (300, 129, (300, True)),  # less than the base would remain: unclipped, and said so
        (300, 50, (300, True)),
    ],
)
def test_a_wait_is_drawn_in_before_the_deadline(
    delay: float, until: float | None, expected: tuple[float, bool]
) -> None:
    assert fit(delay, base=30, until_deadline=until, usual_run=100) == expected


@given(delay=st.floats(0, 1e9), left=st.floats(-1e5, VISIBILITY_MAX))
def test_a_wait_ends_within_the_twelve_hours_of_sqs(delay: float, left: float) -> None:
    kept = within(delay, left=left)
    assert 0 <= kept <= delay
    assert kept == 0 or kept + 60 <= left + 1e-6


def decided(error: BaseException, attempt: int = 1, *, cause: str = "raised", moment: Moment | None = None) -> Outcome:
    return decide(
        error,
        attempt,
        cause=cause,
        backoff=USUAL,
        max_attempts=5,
        moment=moment or Moment(VISIBILITY_MAX),
        uniform=high,
    )


def test_a_failure_waits_longer_with_each_attempt() -> None:
    assert [decided(OSError(), attempt) for attempt in (1, 2, 3)] == [Retry(30), Retry(90), Retry(270)]


def test_the_last_attempt_that_fails_is_a_reject() -> None:
    error = OSError()
    assert decided(error, 5) == Reject("failed 5 times", error, cause="raised")
    assert decided(error, 50) == Reject("failed 50 times", error, cause="raised")


def test_an_only_attempt_has_failed_once() -> None:
    answer = decide(OSError(), 1, cause="raised", backoff=USUAL, max_attempts=1, moment=Moment(9), uniform=high)
    assert isinstance(answer, Reject)
    assert answer.reason == "failed once"


def test_a_timeout_is_retried_as_a_failure_and_named_so() -> None:
    assert decided(TimeoutError(), 1, cause="timeout") == Retry(30, cause="timeout")
    assert isinstance(last := decided(TimeoutError(), 5, cause="timeout"), Reject)
    assert last.cause == "timeout"


def test_a_retry_that_is_asked_for_is_no_failure_at_whatever_attempt() -> None:
    outcome = decided(errors.Retry(after=7), 500)
    assert outcome == Retry(7, cause="asked")
    assert isinstance(outcome, Retry)
    assert not outcome.failed


def test_a_reject_is_one_at_the_first_attempt() -> None:
    error = errors.Reject("no such order")
    assert decided(error) == Reject("no such order", error)


@pytest.mark.parametrize("after", [50_000, float("inf")])
def test_a_retry_asked_for_beyond_twelve_hours_comes_as_late_as_sqs_allows(after: float) -> None:
    outcome = decided(errors.Retry(after=after), moment=Moment(40_000))
    assert isinstance(outcome, Retry)
    assert 0 <= outcome.delay <= 40_000 - 60


@pytest.mark.parametrize("after", [-1, float("nan")])
def test_a_retry_after_no_number_of_seconds_is_a_mistake_where_it_is_raised(after: float) -> None:
    with pytest.raises(ValueError, match="expected seconds of 0 or more"):
        errors.Retry(after=after)


def test_a_wait_that_cannot_fit_before_the_deadline_is_marked() -> None:
    assert decided(OSError(), 3, moment=Moment(VISIBILITY_MAX, 200, 10)) == Retry(190)
    assert decided(OSError(), 3, moment=Moment(VISIBILITY_MAX, 35, 10)) == Retry(270, past_deadline=True)


class Deaf(errors.Reject):
    def __init__(self) -> None:
        """Leave out what the base class sets."""


class Hasty(errors.Retry):
    def __init__(self) -> None:
        """Leave out what the base class sets."""


def test_a_users_own_reject_or_retry_need_not_call_its_base_class() -> None:
    assert isinstance(decided(Deaf()), Reject)
    assert isinstance(decided(Hasty()), Retry)


def test_a_retry_into_the_past_is_refused_where_it_is_raised() -> None:
    with pytest.raises(ValueError, match="0 or more, got -1"):
        errors.Retry(after=-1)


def test_a_reason_that_is_an_exception_becomes_its_text() -> None:
    reason: object = KeyError("id")
    assert errors.Reject(reason).reason == "'id'"  # type: ignore[arg-type]

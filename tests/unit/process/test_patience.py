from __future__ import annotations

import pytest
from botocore.exceptions import ConnectTimeoutError

from consumer.process.patience import Patience, Verb
from consumer.testing import FakeClock
from unit.doubles import refusal

AWAY = ConnectTimeoutError(endpoint_url="https://sqs")
REFUSED = refusal("AccessDenied")


def test_a_queue_that_is_away_is_waited_for_without_end_each_half_minute_at_last() -> None:
    clock = FakeClock(1)
    patience = Patience(clock, 120)
    waits = [patience.failed(AWAY) for _ in range(8)]
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    clock.block(1e6)
    assert patience.failed(AWAY) == 30
    clock.dice = 0
    assert patience.failed(AWAY) == 15


def test_a_thousand_errors_are_borne_as_well() -> None:
    patience = Patience(FakeClock(), 120)
    for _ in range(2000):
        assert patience.failed(AWAY) is not None


def test_a_refusal_is_borne_for_the_patience_and_no_longer() -> None:
    clock = FakeClock(1)
    patience = Patience(clock, 120)
    spent = 0.0
    while (wait := patience.failed(REFUSED)) is not None:
        spent += wait
        clock.block(wait)
    assert spent == pytest.approx(120)


def test_an_answer_resets_all() -> None:
    clock = FakeClock(1)
    patience = Patience(clock, 120)
    patience.failed(REFUSED)
    clock.block(119)
    patience.answered(Verb.RECEIVE)
    clock.block(119)
    assert patience.failed(REFUSED) == 1


def test_an_outage_between_two_refusals_begins_the_patience_anew() -> None:
    clock = FakeClock(1)
    patience = Patience(clock, 120)
    patience.failed(REFUSED)
    clock.block(119)
    patience.failed(AWAY)
    clock.block(119)
    assert patience.failed(REFUSED) is not None


def test_a_verb_refused_is_not_forgiven_for_another_s_answer() -> None:
    clock = FakeClock()
    patience = Patience(clock, 120)
    assert patience.refused(Verb.SETTLE, REFUSED)
    for _ in range(12):
        assert not patience.over()
        clock.block(10)
        patience.answered(Verb.RECEIVE)
        patience.answered(Verb.RENEW)
    assert patience.over()
    assert "sqs:ReceiveMessage" in patience.why
    patience.answered(Verb.SETTLE)
    assert not patience.over()


@pytest.mark.parametrize("error", [AWAY, refusal("ReceiptHandleIsInvalid")])
def test_what_is_no_refusal_of_the_verb_does_not_count(error: Exception) -> None:
    clock = FakeClock()
    patience = Patience(clock, 120)
    assert not patience.refused(Verb.RENEW, error)
    clock.block(1e6)
    assert not patience.over()


def test_a_fault_of_this_program_is_raised() -> None:
    with pytest.raises(KeyError):
        Patience(FakeClock(), 120).failed(KeyError("x"))

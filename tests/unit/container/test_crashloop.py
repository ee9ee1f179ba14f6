from __future__ import annotations

import pytest

from consumer.container.crashloop import CrashLoop, Death

EARLY = Death(code=1)
CONSUMED = Death(code=1, received=True)


def verdicts(*deaths: Death) -> list[int | None]:
    loop = CrashLoop()
    return [loop.verdict(death) for death in deaths]


def test_the_fifth_early_death_in_a_row_decides_and_its_code_is_the_container_s() -> None:
    assert verdicts(EARLY, EARLY, EARLY, EARLY, Death(code=137)) == [None, None, None, None, 137]


@pytest.mark.parametrize(
    "other",
    [CONSUMED, Death(code=137, in_hand=True), *(Death(code) for code in (0, 10, 11, 12, 13, 14, 20))],
)
def test_any_other_end_begins_the_row_anew_and_never_counts(other: Death) -> None:
    assert verdicts(EARLY, EARLY, EARLY, EARLY, other, EARLY, EARLY, EARLY, EARLY, EARLY)[-2:] == [None, 1]
    assert verdicts(*[other] * 20) == [None] * 20


@pytest.mark.parametrize("code", [1, 21, 64, 70, 75, 127, 128 + 9, 128 + 15])
def test_every_other_code_counts(code: int) -> None:
    assert verdicts(*[Death(code)] * 5)[-1] == code


def test_a_queue_that_answers_receives_and_refuses_all_else_counts() -> None:
    assert verdicts(*[Death(code=75, received=True)] * 5)[-1] == 75


def test_a_process_that_was_told_to_stop_says_nothing() -> None:
    told = Death(code=137, told=True)
    assert verdicts(EARLY, EARLY, EARLY, EARLY, told, EARLY)[-2:] == [None, 1]

from __future__ import annotations

import math
import os
import signal
from typing import TYPE_CHECKING, NoReturn

import pytest

from consumer.errors import INTERRUPTED
from consumer.process.stop import Leaving, Stop

if TYPE_CHECKING:
    from consumer.testing import FakeClock


@pytest.fixture
async def stop(clock: FakeClock) -> Stop:
    return Stop(clock, 95)


async def test_retiring_lets_what_is_in_hand_come_to_its_own_end(stop: Stop, clock: FakeClock) -> None:
    stop.retire(Leaving.LIMIT, "100 messages")
    await clock.advance(1e6)
    assert stop.requested.done()
    assert not stop.over.done()
    assert not stop.told
    assert stop.left() == math.inf


async def test_the_word_to_stop_gives_the_drain_s_seconds_and_no_more(stop: Stop, clock: FakeClock) -> None:
    heard: list[str] = []
    stop.on_told.append(lambda: heard.append("told"))
    stop.tell("SIGTERM")
    assert heard == ["told"]
    assert stop.requested.done()
    assert stop.left() == 95
    await clock.advance(94.9)
    assert not stop.over.done()
    await clock.advance(0.1)
    assert stop.over.done()


async def test_a_second_word_neither_restarts_the_drain_nor_tells_twice(stop: Stop, clock: FakeClock) -> None:
    heard: list[str] = []
    stop.on_told.append(lambda: heard.append("told"))
    stop.tell("SIGTERM")
    await clock.advance(90)
    stop.tell("SIGTERM")
    assert stop.left() == 5
    assert heard == ["told"]


async def test_the_first_reason_stays_but_for_a_graver_one(stop: Stop) -> None:
    stop.retire(Leaving.LIMIT)
    stop.tell("SIGTERM")
    assert (stop.leaving, stop.told) == (Leaving.LIMIT, True)
    stop.tell("handler hangs", Leaving.HUNG)
    assert (stop.leaving, stop.detail) == (Leaving.HUNG, "handler hangs")
    stop.retire(Leaving.LIFETIME)
    assert stop.leaving is Leaving.HUNG


def test_the_exit_codes_are_the_contract_s() -> None:
    assert {one.name: one.value for one in Leaving} == {
        "STOPPED": 0, "LIMIT": 10, "LIFETIME": 11, "MEMORY": 12, "FAILURES": 13, "LEAKS": 14, "HUNG": 20, "BROKEN": 21,
        "SETTINGS": 64, "HANDLER": 70, "REFUSED": 75,
    }  # fmt: skip


async def test_sigterm_is_the_word_to_stop(stop: Stop, clock: FakeClock) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    stop.listen()
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        await clock.rest()
        assert (stop.told, stop.leaving, stop.detail) == (True, Leaving.STOPPED, "SIGTERM")
        assert signal.SIGUSR2 not in signal.pthread_sigmask(signal.SIG_BLOCK, set())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def test_a_second_interrupt_leaves_at_once(stop: Stop, monkeypatch: pytest.MonkeyPatch) -> None:
    class Left(Exception):  # noqa: N818
        pass

    def leave(code: int) -> NoReturn:
        assert code == INTERRUPTED == 130
        raise Left

    monkeypatch.setattr(os, "_exit", leave)
    stop._interrupted()
    assert stop.detail == "SIGINT"
    with pytest.raises(Left):
        stop._interrupted()


async def test_sigtstp_neither_stops_the_process_nor_ends_it(stop: Stop, clock: FakeClock) -> None:
    stop.listen()
    os.kill(os.getpid(), signal.SIGTSTP)
    await clock.rest()
    assert stop.quiet
    assert not stop.requested.done()

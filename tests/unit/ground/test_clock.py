from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from consumer.clock import Clock

if TYPE_CHECKING:
    from consumer.testing import FakeClock


def test_the_real_clock_goes_forwards_and_its_dice_roll() -> None:
    clock = Clock()
    assert clock.monotonic() <= clock.monotonic()
    assert abs(clock.now().timestamp() - clock.time()) < 60
    assert clock.now(ZoneInfo("Asia/Tokyo")).utcoffset() == ZoneInfo("Asia/Tokyo").utcoffset(datetime.now(UTC))
    rolled = {clock.uniform(1, 2) for _ in range(100)}
    assert len(rolled) > 90
    assert all(1 <= one <= 2 for one in rolled)


async def test_waiting_ends_with_the_first_future_and_cancels_none(clock: FakeClock) -> None:
    one, other = asyncio.get_running_loop().create_future(), asyncio.get_running_loop().create_future()
    waiting = asyncio.ensure_future(clock.first(one, other, seconds=30))
    await clock.advance(29)
    assert not waiting.done()
    one.set_result(None)
    assert await waiting
    assert not other.done()


async def test_waiting_ends_with_its_seconds(clock: FakeClock) -> None:
    never = asyncio.get_running_loop().create_future()
    waiting = asyncio.ensure_future(clock.first(never, seconds=30))
    await clock.advance(30)
    assert await waiting is False
    assert await clock.first(never, seconds=0) is False
    assert await clock.first(never, seconds=-5) is False


async def test_waiting_without_seconds_has_no_end_of_its_own(clock: FakeClock) -> None:
    future = asyncio.get_running_loop().create_future()
    waiting = asyncio.ensure_future(clock.first(future))
    await clock.advance(1e6)
    assert not waiting.done()
    future.set_exception(ValueError("x"))
    assert await waiting  # done, however it ended
    assert isinstance(future.exception(), ValueError)


@pytest.mark.parametrize("seconds", [None, 30, 0])
async def test_what_is_done_already_ends_the_wait_at_once_and_its_callbacks_get_their_turn(
    seconds: float | None,
) -> None:
    future = asyncio.get_running_loop().create_future()
    waiting = {future}
    future.add_done_callback(waiting.discard)
    future.set_result(None)
    turns = 0
    while waiting:  # as the loop does, whose deliveries leave the set by a callback
        assert await Clock().first(*waiting, seconds=seconds)
        turns += 1
        assert turns < 10, "a wait that never lets the callback run spins for ever"


async def test_a_wait_that_is_cancelled_leaves_nothing_behind(clock: FakeClock) -> None:
    future = asyncio.get_running_loop().create_future()
    waiting = asyncio.ensure_future(clock.first(future, seconds=30))
    sleeping = asyncio.ensure_future(clock.sleep(30))
    await clock.advance(1)
    for one in (waiting, sleeping):
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
    assert not future.cancelled()
    await clock.advance(60)


async def test_a_wait_that_ends_early_leaves_no_timer_behind(clock: FakeClock) -> None:
    future = asyncio.get_running_loop().create_future()
    waiting = asyncio.ensure_future(clock.first(future, seconds=900))
    await clock.rest()
    future.set_result(None)
    await waiting
    assert [timer.callback for _, _, timer in clock._timers] == [None]


async def test_the_real_clock_s_waits_end(clock: FakeClock) -> None:
    del clock
    never = asyncio.get_running_loop().create_future()
    assert await Clock().first(never, seconds=0.001) is False
    await Clock().sleep(0)


async def test_the_fake_clock_runs_each_timer_at_its_own_moment(clock: FakeClock) -> None:
    ran: list[float] = []
    for seconds in (3, 1, 2):
        clock.call_later(seconds, lambda: ran.append(clock.monotonic()))
    cancelled = clock.call_later(1.5, lambda: ran.append(-1))
    cancelled.cancel()
    await clock.advance(2.5)
    assert ran == [1001, 1002]
    clock.freeze_jump(10)
    assert ran == [1001, 1002]
    await clock.advance(0)
    assert ran == [1001, 1002, 1012.5]

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from consumer.process import memory
from consumer.process.invoke import Ran
from consumer.process.stop import Leaving
from consumer.process.tidy import Tidy
from unit.doubles import FakeInvoker, FakeLeaks, Living, living

if TYPE_CHECKING:
    from consumer.testing import FakeClock


async def nothing(*_: object) -> Ran:
    return Ran("returned")


class Broom:
    """What tidying up does, noted."""

    def __init__(self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.did: list[str] = []
        self.clock = clock
        self.life: Living = living(clock)
        self.invoker = FakeInvoker(nothing)
        self.leaks = FakeLeaks()
        self.tidy = Tidy(self.life, self.invoker, self.leaks)
        monkeypatch.setattr(gc, "collect", lambda: self.did.append("collect"))
        monkeypatch.setattr(memory, "trim", lambda: self.did.append("trim"))


@pytest.fixture
async def broom(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Broom:
    return Broom(clock, monkeypatch)


async def test_an_empty_poll_leaves_nothing_to_tidy(broom: Broom) -> None:
    await broom.tidy.between(0)
    assert broom.invoker.resets == 0
    await broom.tidy.between(1)
    await broom.tidy.between(1)
    assert broom.invoker.resets == 1
    assert broom.leaks.looks == [1]


async def test_garbage_is_collected_at_most_each_ten_seconds(broom: Broom) -> None:
    await broom.tidy.between(1)
    assert broom.did == []
    await broom.clock.advance(10)
    await broom.tidy.between(2)
    await broom.tidy.between(3)
    assert broom.did == ["collect"]


async def test_free_memory_is_given_back_each_twenty_five_messages(broom: Broom) -> None:
    for handled in range(1, 51):
        await broom.tidy.between(handled)
    await broom.tidy.between(140)
    assert broom.did == ["trim"] * 3


async def test_a_reset_hook_that_fails_is_logged_by_its_name_and_stops_nothing(broom: Broom) -> None:
    broom.invoker.reset_answer = [("close_session", ValueError("reason"))]
    await broom.tidy.between(1)
    (line,) = broom.life.lines.named("reset_hook_failed")
    assert (line["hook"], line["error"]) == ("close_session", "ValueError: reason")
    assert not broom.life.stop.requested.done()


async def test_a_reset_hook_that_hangs_ends_the_process(broom: Broom) -> None:
    broom.invoker.reset_answer = None
    await broom.tidy.between(1)
    assert broom.life.stop.leaving is Leaving.HUNG
    assert broom.life.stop.over.done()


async def test_what_is_left_behind_is_looked_for_after_the_reset_hooks_had_their_turn(broom: Broom) -> None:
    async def look(handled: int) -> None:
        broom.did.append(f"looked at {handled} after {broom.invoker.resets} resets")

    broom.leaks.look = look  # type: ignore[method-assign]
    await broom.tidy.between(1)
    assert broom.did == ["looked at 1 after 1 resets"]


async def test_each_hundred_messages_without_a_quiet_moment_one_is_due(broom: Broom) -> None:
    assert not broom.tidy.overdue(99)
    assert broom.tidy.overdue(100)
    assert not broom.tidy.overdue(101), "asked for once, be it in vain"
    assert broom.tidy.overdue(200)
    await broom.tidy.between(250)
    assert not broom.tidy.overdue(349)
    assert broom.tidy.overdue(350)


async def test_where_nothing_is_looked_at_no_quiet_moment_is_due(clock: FakeClock) -> None:
    tidy = Tidy(living(clock, leaks="ignore"), FakeInvoker(nothing), FakeLeaks())
    assert not tidy.overdue(1000)

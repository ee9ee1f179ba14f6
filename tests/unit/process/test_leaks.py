from __future__ import annotations

import asyncio
import tempfile
import threading
from typing import TYPE_CHECKING, Any

import pytest

from consumer.process import leaks
from consumer.process.leaks import Leaks
from consumer.process.memory import Memory
from consumer.process.stop import Leaving
from consumer.process.traces import STOP_SIGNALS
from consumer.process.tripwire import Kind
from unit.doubles import Living, living

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.testing import FakeClock


class Watch:
    """One life's leaks, of kinds that the test makes differ."""

    def __init__(self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, **given: Any) -> None:
        self.clock = clock
        self.life: Living = living(clock, **given)
        self.left: dict[str, str] = {}
        self.mib = 60.0
        self.looked: list[str] = []
        self.made = [self._kind("threads", brief=True), self._kind("environment"), self._kind("files", seldom=True)]
        monkeypatch.setattr(leaks, "kinds", lambda *_: self.made)
        self.leaks = Leaks(self.life, self._read)

    def _kind(self, name: str, *, brief: bool = False, seldom: bool = False) -> Kind:
        def tell(*_: object) -> str:
            self.looked.append(name)
            return self.left.get(name, "")

        return Kind(name, lambda _: 0, tell, brief=brief, seldom=seldom)

    def _read(self) -> Memory:
        return Memory(self.mib, self.mib, self.mib)

    async def look(self, handled: int) -> None:
        """Look, while time goes on."""
        task = asyncio.ensure_future(self.leaks.look(handled))
        await self.clock.advance(1)
        await task

    def said(self) -> list[tuple[str, str]]:
        return [(line["kind"], line["what"]) for line in self.life.lines.named("left_behind")]


@pytest.fixture
async def make(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Watch]:
    return lambda **given: Watch(clock, monkeypatch, **given)


async def test_each_kind_is_said_once_with_the_handler_s_name(make: Callable[..., Watch]) -> None:
    watch = make()
    watch.left = {"environment": "set TOKEN"}
    await watch.look(1)
    watch.left |= {"threads": "metrics"}
    await watch.look(2)
    await watch.look(3)
    assert watch.said() == [("environment", "set TOKEN"), ("threads", "metrics")]
    assert {line["handler"] for line in watch.life.lines.named("left_behind")} == {"app:handle"}
    assert not watch.life.stop.requested.done()


async def test_recycle_retires_the_process_with_what_was_left_behind(make: Callable[..., Watch]) -> None:
    watch = make(leaks="recycle")
    await watch.look(1)
    assert not watch.life.stop.requested.done()
    watch.left = {"environment": "set TOKEN"}
    await watch.look(2)
    assert (watch.life.stop.leaving, watch.life.stop.detail) == (Leaving.LEAKS, "environment: set TOKEN")
    assert watch.life.stop.leaving.worn_out
    assert watch.life.stop.leaving.foreseen
    assert not watch.life.stop.told, "nobody is hurried"


async def test_ignore_looks_at_nothing_but_the_signals_to_stop(
    make: Callable[..., Watch], monkeypatch: pytest.MonkeyPatch
) -> None:
    wired: list[list[Kind]] = []
    monkeypatch.setattr(leaks, "Tripwire", wired.append)
    make(leaks="ignore")
    make()
    assert wired[0] == [STOP_SIGNALS]
    assert [kind.name for kind in wired[1]] == ["threads", "environment", "files"]


async def test_a_thread_that_was_about_to_end_is_not_named(make: Callable[..., Watch]) -> None:
    watch = make()
    watch.left = {"threads": "pool"}
    watch.clock.call_later(0.03, watch.left.clear)
    await watch.look(1)
    assert watch.said() == []


async def test_what_costs_more_is_looked_at_each_twenty_five_messages(make: Callable[..., Watch]) -> None:
    watch = make()
    for handled in range(1, 51):
        await watch.look(handled)
    await watch.look(140)
    assert watch.looked.count("files") == 3
    assert watch.looked.count("environment") == 51


async def test_memory_that_grows_with_each_message_is_said_once_in_a_life(make: Callable[..., Watch]) -> None:
    watch = make()
    for handled in range(1, 200):
        watch.mib += 0.5
        await watch.look(handled)
    (line,) = watch.life.lines.named("memory_grows")
    assert (line["mib_per_100_messages"], line["handler"]) == (50.0, "app:handle")


async def test_memory_is_read_once_a_second_at_most_and_not_where_it_cannot_be(
    make: Callable[..., Watch], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = make()
    reads: list[int] = []

    monkeypatch.setattr(watch.leaks, "_read", lambda: reads.append(1))  # and gives nothing
    for handled in range(1, 5):
        await watch.leaks.look(handled)
    await watch.clock.advance(1)
    await watch.leaks.look(5)
    assert len(reads) == 2


async def test_with_the_real_kinds_a_thread_left_behind_is_named(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "template", "tmp")
    life, over = living(clock), threading.Event()
    watched = Leaks(life, lambda: Memory(1, 1, 1))
    thread = threading.Thread(target=over.wait, name="metrics")
    thread.start()
    try:
        life.stop.finish()  # no waiting
        await watched.look(1)
    finally:
        over.set()
        thread.join()
    assert ("threads", "metrics") in [(line["kind"], line["what"]) for line in life.lines.named("left_behind")]

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from consumer.message.outcome import Done, Outcome, Reject, Release
from consumer.process.books import Books
from consumer.process.crashes import Crashes, Record
from consumer.process.delivery import Delivery
from consumer.process.invoke import Ran
from consumer.process.settle import Settler
from unit.doubles import FakeInvoker, FakeQueue, living, message

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.testing import FakeClock


class Process:
    """A process whose runs take 10 s; `beside` says who ran while each was running."""

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.clock = clock
        self.life = living(clock, concurrency=10)
        self.life.pulse.path = folder / "worker_00.1.2.json"
        self.queue = FakeQueue(clock)
        self.crashes = Crashes(folder)
        self.delivery = Delivery(self.life, self.queue, FakeInvoker(self.run), Settler(self.life, self.queue), Books())
        self.running: set[str] = set()
        self.beside: dict[str, set[str]] = {}
        self.tasks: list[asyncio.Task[Outcome]] = []

    async def run(self, one: Any, *_: object) -> Ran:
        self.running.add(one.id)
        for other in self.running:
            self.beside.setdefault(other, set()).update(self.running - {other})
        self.beside[one.id].update(self.running - {one.id})
        await self.clock.sleep(10)
        self.running.discard(one.id)
        return Ran("returned")

    async def take(self, *ids: str) -> None:
        self.tasks += [asyncio.create_task(self.delivery.deliver(message(one))) for one in ids]
        await self.clock.rest()

    def waiting(self) -> set[str]:
        held = self.life.pulse.facts["in_hand"].values()
        return {one["message_id"] for one in held if one.get("waiting")}


async def test_a_message_with_a_crash_on_record_runs_alone_whoever_came_before_or_comes_after(
    tmp_path: Path, clock: FakeClock
) -> None:
    process = Process(tmp_path, clock)
    process.crashes.add("bad", alone=False)
    process.crashes.add("worse", alone=False)
    await process.take("a", "b")
    await process.take("bad", "worse", "c")
    assert process.running == {"a", "b"}
    assert process.waiting() == {"bad", "worse", "c"}
    assert process.delivery.company.reserved, "no further message is taken"
    await clock.advance(45)
    assert all(task.done() for task in process.tasks)
    assert process.beside == {"a": {"b"}, "b": {"a"}, "bad": set(), "worse": set(), "c": set()}
    assert not process.delivery.company.reserved


async def test_a_run_that_succeeds_clears_the_record(tmp_path: Path, clock: FakeClock) -> None:
    process = Process(tmp_path, clock)
    process.crashes.add("bad", alone=True)
    await process.take("bad")
    await clock.advance(10)
    assert process.tasks[0].result() == Done()
    assert process.crashes.of("bad") == Record()


async def test_a_message_that_has_killed_three_processes_alone_is_rejected_without_a_run(
    tmp_path: Path, clock: FakeClock
) -> None:
    process = Process(tmp_path, clock)
    for alone in (False, True, True, True):
        process.crashes.add("bad", alone=alone)
    await process.take("bad")
    outcome = process.tasks[0].result()
    assert isinstance(outcome, Reject)
    assert outcome.reason == "crash"
    assert not process.beside
    assert process.queue.dead[0][0] == "bad"
    assert process.crashes.of("bad") == Record()


async def test_what_waits_to_run_alone_is_given_back_when_the_process_is_told_to_stop(
    tmp_path: Path, clock: FakeClock
) -> None:
    process = Process(tmp_path, clock)
    process.crashes.add("bad", alone=False)
    await process.take("a", "bad")
    process.life.stop.tell("SIGTERM")
    await clock.rest()
    assert process.tasks[1].result() == Release()
    assert process.crashes.of("bad") == Record(1, 0), "it has not run: the suspicion stays"
    await clock.advance(10)
    assert process.tasks[0].result() == Done()


async def test_a_wait_for_others_takes_nothing_from_the_time_limit(tmp_path: Path, clock: FakeClock) -> None:
    process = Process(tmp_path, clock)
    process.crashes.add("bad", alone=False)
    await process.take("a", "bad")
    await clock.advance(10)
    left = next(hand.context.remaining() for hand in process.delivery.in_hand.values() if hand.message.id == "bad")
    assert left == 900


def test_a_record_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    crashes = Crashes(tmp_path)
    crashes.add("a/b", alone=True)
    (path,) = (tmp_path / "crashes").iterdir()
    path.write_text('{"crashes": ')
    assert crashes.of("a/b") == Record()
    crashes.forget("a/b")
    crashes.forget("never there")

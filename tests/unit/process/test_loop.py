from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from consumer.process import quiet
from consumer.process.books import Books
from consumer.process.delivery import Delivery
from consumer.process.invoke import Ran
from consumer.process.loop import Loop
from consumer.process.memory import Memory
from consumer.process.recycle import Recycle
from consumer.process.settle import Settler
from consumer.process.stop import Leaving
from consumer.process.tidy import Tidy
from unit.doubles import FakeInvoker, FakeLeaks, FakeQueue, Living, living, message, refusal

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.testing import FakeClock

AWAY = ConnectTimeoutError(endpoint_url="https://sqs")


class Process:
    """One process, whose queue and handler are the test's own. The handler works as many seconds as `works` says."""

    def __init__(self, clock: FakeClock, **given: Any) -> None:
        self.clock = clock
        self.journal: list[str] = []
        self.life: Living = living(clock, self.journal, **{"jitter": 0, "lifetime": 0, "limit": 0, **given})
        self.queue = FakeQueue(clock, self.journal)
        self.works = 0.0
        self.ran = Ran("returned")
        self.invoker = FakeInvoker(self._run, self.journal)
        self.delivery = Delivery(self.life, self.queue, self.invoker, Settler(self.life, self.queue), Books())
        self.recycle = Recycle(self.life, read=lambda: Memory(1, 1, 1), trim=lambda: None, budget=0, parent_pss=0)
        self.leaks = FakeLeaks()
        tidy = Tidy(self.life, self.invoker, self.leaks)
        self.loop = Loop(self.life, self.queue, Books(), self.delivery, self.recycle, tidy)

    async def _run(self, *_: object) -> Ran:
        stop = self.life.stop
        if self.works:
            work = asyncio.ensure_future(self.clock.sleep(self.works))
            await self.clock.first(work, stop.over)
            if not work.done():
                work.cancel()
                return Ran("interrupted", hung=True)
        return self.ran

    def start(self) -> asyncio.Task[Leaving]:
        return asyncio.ensure_future(self.loop.run())

    async def left(self, running: asyncio.Task[Leaving]) -> Leaving:
        await self.clock.rest()
        assert running.done(), self.journal[-5:]
        return await running


@pytest.fixture
async def process(clock: FakeClock) -> Process:
    return Process(clock)


def many(count: int, first: int = 0) -> list[Any]:
    return [message(f"m{number}") for number in range(first, first + count)]


async def test_messages_are_received_handled_and_deleted_until_told_to_stop(process: Process) -> None:
    process.queue.put(*many(3))
    running = process.start()
    await process.clock.advance(5)
    assert [call for call in process.journal if call.startswith("delete")] == ["delete m0", "delete m1", "delete m2"]
    assert process.recycle.handled == 3
    assert process.life.sign.facts["handled"] == 3
    assert process.life.sign.facts["last_receive"] is not None
    process.life.stop.tell("SIGTERM")
    await process.clock.advance(20)
    assert await process.left(running) is Leaving.STOPPED
    assert process.life.sign.states == ["idle", "busy", "idle", "busy", "idle", "busy", "idle", "draining"]


async def test_as_many_are_received_as_there_are_free_slots(clock: FakeClock) -> None:
    process = Process(clock, concurrency=3)
    process.works = 100
    process.queue.put(*many(1))
    running = process.start()
    await clock.advance(1)
    assert process.queue.asked == [3, 2]
    process.queue.put(*many(5, 1))
    await clock.advance(1)
    assert process.queue.asked == [3, 2]  # all slots are taken: nothing is fetched to wait here
    assert len(process.queue.visible) == 3
    await clock.advance(98)  # the first slot is free
    assert process.queue.asked == [3, 2, 1]
    process.life.stop.tell("SIGTERM")
    await clock.advance(200)
    assert await process.left(running) is Leaving.STOPPED


async def test_a_recycled_process_never_got_a_second_message(clock: FakeClock) -> None:
    process = Process(clock, limit=1)
    process.works = 2
    process.queue.put(*many(5))
    running = process.start()
    await clock.advance(3)
    assert await process.left(running) is Leaving.LIMIT
    assert process.queue.asked == [1]
    assert len(process.queue.visible) == 4


async def test_no_slot_takes_a_message_beyond_the_limit_of_this_life(clock: FakeClock) -> None:
    process = Process(clock, limit=5, concurrency=3)
    process.works = 10
    process.queue.put(*many(9))
    running = process.start()
    await clock.advance(25)
    assert await process.left(running) is Leaving.LIMIT
    assert process.recycle.handled == 5
    assert len(process.queue.visible) == 4


@pytest.mark.parametrize("told", [False, True])
async def test_worn_out_at_once_a_process_stays_until_supervisord_takes_it_for_started_unless_told(
    told: bool,  # noqa: FBT001 - the case
    clock: FakeClock,
) -> None:
    process = Process(clock, limit=1)
    process.queue.put(*many(2))
    running = process.start()
    await clock.advance(1.4)
    assert not running.done()
    assert process.recycle.handled == 1
    if told:
        process.life.stop.tell("SIGTERM")
    else:
        await clock.advance(0.1)
    assert await process.left(running) is Leaving.LIMIT
    assert len(process.queue.visible) == 1


async def test_a_receive_in_flight_at_stop_is_awaited_and_what_it_brings_is_given_back(process: Process) -> None:
    running = process.start()
    await process.clock.advance(5)
    process.life.stop.tell("SIGTERM")
    await process.clock.advance(10)
    assert not running.done()
    process.queue.put(*many(1))
    assert await process.left(running) is Leaving.STOPPED
    assert process.queue.given_back == ["m0"]
    assert "run m0" not in process.journal
    assert process.life.lines.named("given_back")[0]["message_ids"] == ["m0"]


async def test_giving_back_is_tried_again_when_the_queue_is_away(process: Process) -> None:
    process.queue.troubles["release"] = [AWAY, AWAY]
    running = process.start()
    await process.clock.advance(1)
    process.life.stop.tell("SIGTERM")
    process.queue.put(*many(1))
    await process.clock.advance(10)
    assert await process.left(running) is Leaving.STOPPED
    assert process.queue.given_back == ["m0"]
    assert len(process.life.lines.named("given_back")) == 1


async def test_what_could_not_be_given_back_is_not_said_to_be(process: Process) -> None:
    process.queue.troubles["release"] = [AWAY] * 100
    running = process.start()
    await process.clock.advance(1)
    process.life.stop.tell("SIGTERM")
    process.queue.put(*many(1))
    await process.clock.rest()
    assert process.journal.count("release m0") == 1  # the next try waits, if not for long
    await process.clock.advance(95)
    assert await process.left(running) is Leaving.STOPPED
    assert process.life.lines.named("given_back") == []
    (said,) = process.life.lines.named("not_given_back")
    assert (said["messages"], said["message_ids"], said["again"]) == (1, ["m0"], False)
    assert said["error"]
    assert process.journal.count("release m0") == 5


async def test_told_to_stop_handlers_get_the_drain_s_seconds_and_are_then_given_back_at_once(
    process: Process,
) -> None:
    process.works = 1000
    process.queue.put(*many(1))
    running = process.start()
    await process.clock.advance(10)
    process.life.stop.tell("SIGTERM")
    await process.clock.advance(94.9)
    assert not running.done()
    await process.clock.advance(0.1)
    assert await process.left(running) is Leaving.STOPPED
    assert process.queue.hurried
    assert process.journal[-2:] == ["drop m0", "delay m0 0"]
    assert process.delivery.in_hand == {}


async def test_told_to_stop_a_handler_that_ends_in_time_is_done(process: Process) -> None:
    process.works = 50
    process.queue.put(*many(1))
    running = process.start()
    await process.clock.advance(10)
    process.life.stop.tell("SIGTERM")
    await process.clock.advance(39)
    assert not running.done()
    await process.clock.advance(1)
    assert await process.left(running) is Leaving.STOPPED
    assert process.journal[-1] == "delete m0"


async def test_a_process_that_retires_lets_its_handlers_end_however_long_they_take(clock: FakeClock) -> None:
    process = Process(clock, concurrency=2, lifetime=10)
    process.works = 800
    process.queue.put(*many(1))
    running = process.start()
    await clock.advance(799)
    assert not running.done()
    assert not process.invoker.contexts[0].stopping
    await clock.advance(2)
    assert await process.left(running) is Leaving.LIFETIME
    assert process.journal[-1] == "delete m0"


async def test_told_to_stop_while_retiring_the_drain_begins(clock: FakeClock) -> None:
    process = Process(clock, concurrency=2, lifetime=10)
    process.works = 800
    process.queue.put(*many(1))
    running = process.start()
    await clock.advance(100)
    process.life.stop.tell("SIGTERM")
    await clock.advance(95)
    assert await process.left(running) is Leaving.LIFETIME
    assert process.journal[-1] == "delay m0 0"


async def test_a_handler_that_hangs_ends_the_process_once_the_others_are_done(clock: FakeClock) -> None:
    process = Process(clock, concurrency=2)
    process.queue.put(*many(2))
    ran = {"m0": (10, Ran("timeout", TimeoutError("still running"), hung=True)), "m1": (40, Ran("returned"))}

    async def run(one: Any, *_: object) -> Ran:
        seconds, end = ran[one.id]
        await clock.sleep(seconds)
        return end

    process.invoker.run = run
    running = process.start()
    await clock.advance(39)
    assert process.queue.asked == [2]
    assert process.invoker.contexts[1].stopping
    assert not running.done()
    await clock.advance(1)
    assert await process.left(running) is Leaving.HUNG
    assert process.journal.index("delete m1") < process.journal.index("delay m0 22.5")


async def test_two_handlers_that_hang_are_settled_in_one_step(clock: FakeClock) -> None:
    process = Process(clock, concurrency=2)
    process.ran = Ran("timeout", TimeoutError(), hung=True)
    process.queue.put(*many(2))
    running = process.start()
    await clock.advance(1)
    assert await process.left(running) is Leaving.HUNG
    assert sorted(process.journal[-4:]) == ["delay m0 22.5", "delay m1 22.5", "drop m0", "drop m1"]


async def test_the_queue_s_last_answers_are_not_waited_for_beyond_what_supervisord_leaves(clock: FakeClock) -> None:
    for stop_timeout, seconds in ((120, 8), (30, 1)):
        process = Process(clock, stop_timeout=stop_timeout)
        process.works = 1000
        process.queue.gates["delay"] = asyncio.Event()  # a call that hangs
        process.queue.put(*many(1))
        running = process.start()
        await clock.advance(1)
        process.life.stop.tell("SIGTERM")
        await clock.advance(process.life.settings.drain_seconds + seconds - 0.1)
        assert not running.done()
        await clock.advance(0.1)
        assert await process.left(running) is Leaving.STOPPED
        process.queue.gates["delay"].set()
        await clock.rest()


async def test_without_a_dead_letter_queue_a_process_refuses_to_start(process: Process) -> None:
    process.queue.dlq_url = ""
    assert await process.left(process.start()) is Leaving.SETTINGS
    assert process.queue.asked == []
    (line,) = process.life.lines.named("wrong_settings")
    assert line["problem"].startswith("CONSUMER_DLQ_URL: expected a dead-letter queue; got none")
    assert "To do: " in line["problem"]


@pytest.mark.parametrize("choice", ["delete", "keep"])
async def test_without_a_dead_letter_queue_a_process_starts_when_told_what_to_do_instead(
    clock: FakeClock, choice: str
) -> None:
    process = Process(clock, without_dlq=choice)
    process.queue.dlq_url = ""
    running = process.start()
    await clock.advance(1)
    assert process.queue.asked == [1]
    process.life.stop.tell("SIGTERM")
    await clock.advance(20)
    assert await process.left(running) is Leaving.STOPPED


async def test_a_queue_that_is_away_at_the_start_is_waited_for(process: Process) -> None:
    process.queue.troubles["open"] = [AWAY] * 20
    running = process.start()
    await process.clock.advance(3600)
    assert process.queue.asked
    process.life.stop.tell("SIGTERM")
    await process.clock.advance(20)
    assert await process.left(running) is Leaving.STOPPED


async def test_a_queue_that_is_away_ends_no_process_and_is_asked_each_half_minute_at_least(process: Process) -> None:
    process.clock.dice = 1
    process.queue.troubles["receive"] = [AWAY] * 10_000
    running = process.start()
    await process.clock.advance(3600)
    assert not running.done()
    assert 120 <= len(process.queue.asked) <= 130
    assert process.life.lines.named("queue_error")[-1]["again_in"] == 30
    process.queue.troubles.clear()
    process.queue.put(*many(1))
    await process.clock.advance(31)
    assert "delete m0" in process.journal
    process.life.stop.tell("SIGTERM")
    await process.clock.advance(20)
    assert await process.left(running) is Leaving.STOPPED


async def test_the_word_to_stop_ends_the_wait_for_a_queue_that_is_away(process: Process) -> None:
    process.queue.troubles["receive"] = [AWAY] * 100
    running = process.start()
    await process.clock.advance(300)
    process.life.stop.tell("SIGTERM")
    assert await process.left(running) is Leaving.STOPPED


@pytest.mark.parametrize("verb", ["open", "receive"])
async def test_what_waiting_does_not_cure_is_borne_for_the_patience(process: Process, verb: str) -> None:
    process.queue.troubles[verb] = [refusal("AWS.SimpleQueueService.NonExistentQueue")] * 1000
    running = process.start()
    await process.clock.advance(119)
    assert not running.done()
    await process.clock.advance(2)
    assert await process.left(running) is Leaving.REFUSED
    assert "NonExistentQueue" in process.life.stop.detail


async def test_a_queue_that_may_be_read_and_not_be_told_is_borne_for_the_patience(process: Process) -> None:
    process.works = 10
    process.queue.troubles["delete"] = [refusal("AccessDenied")] * 1000
    process.queue.put(*many(100))
    running = process.start()
    await process.clock.advance(10 + 119)
    assert not running.done()
    assert len(process.life.lines.named("pausing_after_failures")) > 2  # each of these messages is handled in vain
    assert process.journal.count("receive") < 8
    await process.clock.advance(60)
    assert await process.left(running) is Leaving.REFUSED
    assert "sqs:ReceiveMessage" in process.life.stop.detail


async def test_leases_that_may_not_be_renewed_are_borne_for_the_patience_though_short_runs_succeed(
    process: Process,
) -> None:
    process.works = 40
    process.queue.troubles["extend"] = [refusal("AccessDenied")] * 1000
    process.queue.put(*many(100))
    running = process.start()
    await process.clock.advance(160)
    assert await process.left(running) is Leaving.REFUSED
    assert process.journal.count("receive") == 4
    assert process.recycle.failures == 0


async def test_after_three_failures_in_a_row_a_process_waits_before_its_next_receive(process: Process) -> None:
    process.ran = Ran("raised", OSError("down"))
    process.queue.put(*many(4))
    running = process.start()
    await process.clock.advance(4.9)
    assert process.queue.asked == [1, 1, 1]
    await process.clock.advance(0.1)
    assert process.queue.asked == [1] * 4
    assert process.life.lines.named("pausing_after_failures")[0]["seconds"] == 5
    process.life.stop.tell("SIGTERM")  # in the midst of the next pause, of 10 s
    assert await process.left(running) is Leaving.STOPPED
    assert process.queue.asked == [1] * 4


async def test_a_success_ends_the_pauses(process: Process) -> None:
    process.ran = Ran("raised", OSError("down"))
    process.queue.put(*many(3))
    running = process.start()
    await process.clock.advance(4)
    process.ran = Ran("returned")
    process.queue.put(*many(3, 3))
    await process.clock.advance(1)
    assert process.recycle.handled == 6
    process.life.stop.tell("SIGTERM")
    await process.clock.advance(20)
    assert await process.left(running) is Leaving.STOPPED


async def test_a_delivery_that_breaks_drains_the_others_and_ends_the_process(clock: FakeClock) -> None:
    process = Process(clock, concurrency=2)

    async def run(one: Any, *_: object) -> Ran:
        await clock.sleep(5 if one.id == "m0" else 30)
        if one.id == "m0":
            raise AssertionError("a fault of ours")
        return Ran("returned")

    process.invoker.run = run
    process.queue.put(*many(2))
    running = process.start()
    await clock.advance(6)
    assert process.life.lines.named("delivery_broken")[0]["error"] == "AssertionError: a fault of ours"
    assert process.invoker.contexts[1].stopping
    await clock.advance(25)
    assert await process.left(running) is Leaving.BROKEN
    assert process.journal[-1] == "delete m1"


async def test_a_fault_of_this_program_is_not_waited_for(process: Process) -> None:
    process.queue.troubles["receive"] = [KeyError("x")]
    running = process.start()
    await process.clock.rest()
    with pytest.raises(KeyError):
        await running


async def test_a_process_tidies_up_between_messages_and_only_when_nothing_is_in_hand(clock: FakeClock) -> None:
    process = Process(clock, concurrency=2)
    process.works = 10
    process.queue.put(*many(1))
    running = process.start()
    await clock.advance(5)
    process.queue.put(*many(1, 1))
    await clock.advance(6)  # m0 is done, m1 in hand
    assert process.recycle.handled == 1
    assert process.invoker.resets == 0
    await clock.advance(30)
    assert process.invoker.resets == 1
    process.life.stop.tell("SIGTERM")
    await clock.advance(20)
    assert await process.left(running) is Leaving.STOPPED


async def test_a_reset_hook_that_hangs_ends_the_process_at_once(process: Process) -> None:
    process.invoker.reset_answer = None
    process.queue.put(*many(2))
    running = process.start()
    await process.clock.advance(1)
    assert await process.left(running) is Leaving.HUNG
    assert process.recycle.handled == 1


async def test_told_to_stop_before_the_queue_is_found_a_process_leaves(process: Process) -> None:
    process.queue.troubles["open"] = [AWAY] * 100
    running = process.start()
    await process.clock.advance(10)
    process.life.stop.tell("SIGTERM")
    assert await process.left(running) is Leaving.STOPPED
    assert process.queue.asked == []


async def busy_for_ever(process: Process, clock: FakeClock) -> asyncio.Task[Leaving]:
    """Have two slots of which one is always busy: messages of 10 s that begin 5 s apart."""
    process.works = 10
    process.queue.put(*many(1))
    running = process.start()
    await clock.advance(5)
    process.queue.put(*many(300, 1))
    return running


async def test_each_hundred_messages_receiving_pauses_until_no_slot_is_busy(clock: FakeClock) -> None:
    process = Process(clock, concurrency=2)
    running = await busy_for_ever(process, clock)
    await clock.advance(480)
    assert process.leaks.looks == [], "one slot was always busy"
    await clock.advance(50)
    assert process.leaks.looks == [101]
    assert process.recycle.handled > 102, "and then it goes on"
    process.life.stop.tell("SIGTERM")
    await clock.advance(20)
    assert await process.left(running) is Leaving.STOPPED


async def test_a_slow_message_is_waited_for_half_a_minute_and_not_longer(clock: FakeClock) -> None:
    process = Process(clock, concurrency=2)
    process.works = 1000
    process.queue.put(*many(1))
    running = process.start()
    await clock.advance(1)
    process.works = 1
    process.queue.put(*many(300, 1))
    await clock.advance(125)
    assert process.recycle.handled == 100
    await clock.advance(10)
    assert 100 < process.recycle.handled < 110
    assert process.leaks.looks == []
    process.life.stop.tell("SIGTERM")
    await clock.advance(200)
    assert await process.left(running) is Leaving.STOPPED


def quieten(process: Process, folder: Path) -> None:
    """Have the container of this process quiet; its run directory is the folder."""
    process.life.sign.path = folder / "pulse.json"
    quiet.begin(folder)


async def test_a_quiet_process_receives_nothing_until_a_second_after_the_word_to_resume(
    process: Process, tmp_path: Path
) -> None:
    quieten(process, tmp_path)
    running = process.start()
    await process.clock.advance(3600)
    assert process.queue.asked == []
    assert process.life.sign.facts["state"] == "quiet"
    assert len(process.life.lines.named("quiet")) == 1
    quiet.end(tmp_path)
    resumed = process.clock.time()
    await process.clock.advance(1)
    assert process.queue.asked == [1]
    assert process.life.sign.states == ["quiet", "idle"]
    assert process.life.sign.facts["idle_since"] >= resumed, "health gives it time to hear something"
    process.life.stop.tell("SIGTERM")
    await process.clock.advance(20)
    assert await process.left(running) is Leaving.STOPPED


async def test_what_is_in_hand_when_the_container_becomes_quiet_is_finished(clock: FakeClock, tmp_path: Path) -> None:
    process = Process(clock, concurrency=2)
    process.works = 50
    process.queue.put(*many(2))
    running = process.start()
    await clock.advance(5)
    quieten(process, tmp_path)
    await clock.advance(50)
    assert [call for call in process.journal if call.startswith("delete")] == ["delete m0", "delete m1"]
    assert process.queue.asked == [2]
    assert process.life.sign.facts["state"] == "quiet"
    process.life.stop.tell("SIGTERM")
    assert await process.left(running) is Leaving.STOPPED


async def test_a_receive_in_flight_when_the_container_becomes_quiet_is_awaited_and_what_it_brings_is_given_back(
    process: Process, tmp_path: Path
) -> None:
    running = process.start()
    await process.clock.advance(5)
    quieten(process, tmp_path)
    process.queue.put(*many(1))
    await process.clock.rest()
    assert process.queue.given_back == ["m0"]
    assert "run m0" not in process.journal
    assert process.life.sign.facts["state"] == "quiet"
    process.life.stop.tell("SIGTERM")
    assert await process.left(running) is Leaving.STOPPED


async def test_a_process_that_resumes_with_a_message_in_hand_is_busy(clock: FakeClock, tmp_path: Path) -> None:
    process = Process(clock, concurrency=2)
    process.works = 50
    process.queue.put(*many(1))
    running = process.start()
    await clock.advance(5)
    quieten(process, tmp_path)
    await clock.advance(20)
    assert process.life.sign.facts["state"] == "quiet"
    quiet.end(tmp_path)
    await clock.advance(1)
    assert process.life.sign.facts["state"] == "busy"
    process.life.stop.tell("SIGTERM")
    await clock.advance(60)
    assert await process.left(running) is Leaving.STOPPED


async def test_a_quiet_process_still_retires(clock: FakeClock, tmp_path: Path) -> None:
    process = Process(clock, lifetime=100)
    quieten(process, tmp_path)
    running = process.start()
    await clock.advance(101)
    assert await process.left(running) is Leaving.LIFETIME


async def test_sigtstp_quietens_one_process_for_the_rest_of_its_life(process: Process) -> None:
    running = process.start()
    await process.clock.advance(5)
    process.life.stop.quiet = True
    await process.clock.advance(3600)
    assert process.queue.asked == [1]
    assert process.life.sign.facts["state"] == "quiet"
    process.life.stop.tell("SIGTERM")
    assert await process.left(running) is Leaving.STOPPED


async def test_receives_that_bring_nothing_are_counted_in_a_row(process: Process) -> None:
    running = process.start()
    await process.clock.advance(60)
    assert process.life.sign.facts["empty_receives"] == 3
    process.queue.put(*many(1))
    await process.clock.rest()
    assert process.life.sign.facts["empty_receives"] == 0
    process.life.stop.tell("SIGTERM")
    await process.clock.advance(20)
    assert await process.left(running) is Leaving.STOPPED

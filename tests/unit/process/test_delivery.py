"""How a delivery ends: the contract's table, row by row, and the order of its steps."""

from __future__ import annotations

import asyncio
from datetime import time
from typing import TYPE_CHECKING, Any

import pytest

from consumer import errors, logs
from consumer.message.outcome import Done, LeftAlone, Outcome, Reject, Release, Retry
from consumer.process.books import Books
from consumer.process.delivery import Delivery
from consumer.process.invoke import Ran
from consumer.process.settle import Settler
from consumer.process.stop import Leaving
from unit.doubles import FakeInvoker, FakeQueue, Living, living, message, refusal

if TYPE_CHECKING:
    from consumer.testing import FakeClock


class Desk:
    """A delivery whose queue, sign of life and handler write into one journal."""

    def __init__(self, clock: FakeClock, **given: Any) -> None:
        self.journal: list[str] = []
        self.clock = clock
        self.life: Living = living(clock, self.journal, **given)
        self.queue = FakeQueue(clock, self.journal)
        self.ran: Ran = Ran("returned")
        self.invoker = FakeInvoker(self.at_once, self.journal)
        self.delivery = Delivery(self.life, self.queue, self.invoker, Settler(self.life, self.queue), Books())

    async def at_once(self, *_: object) -> Ran:
        return self.ran

    async def deliver(self, ran: Ran | None = None, *, count: int = 1) -> Outcome:
        self.ran = ran or self.ran
        return await self.delivery.deliver(message(count=count))

    def takes(self, seconds: float, ran: Ran | None = None) -> None:
        """Have the handler take its time."""

        async def run(*_: object) -> Ran:
            await self.clock.sleep(seconds)
            return ran or Ran("returned")

        self.invoker.run = run

    def raised(self, error: BaseException) -> Ran:
        return Ran("raised", error)


@pytest.fixture
async def desk(clock: FakeClock) -> Desk:
    return Desk(clock)


async def test_a_handler_that_returns_has_its_message_deleted(desk: Desk) -> None:
    assert await desk.deliver() == Done()
    assert desk.journal == ["hold m1", "run m1", "drop m1", "delete m1"]
    assert desk.life.lines.named("delivered")[0]["outcome"] == "done"


async def test_a_handler_that_raises_has_its_message_back_after_the_backoff(desk: Desk) -> None:
    assert await desk.deliver(desk.raised(OSError("down"))) == Retry(22.5)
    assert desk.journal[-1] == "delay m1 22.5"
    (line,) = desk.life.lines.named("delivered")
    assert (line["level"], line["outcome"], line["cause"], line["error"]) == (
        "warning",
        "retry",
        "raised",
        "OSError: down",
    )
    assert line["exc_info"] is not None


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseException()])
async def test_whatever_is_raised_is_a_failure_of_the_delivery(desk: Desk, error: BaseException) -> None:
    outcome = await desk.deliver(desk.raised(error))
    assert isinstance(outcome, Retry)
    assert outcome.failed


async def test_a_retry_that_is_asked_for_waits_as_asked_and_is_no_warning(desk: Desk) -> None:
    assert await desk.deliver(desk.raised(errors.Retry(after=7)), count=50) == Retry(7, cause="asked")
    assert desk.journal[-1] == "delay m1 7"
    (line,) = desk.life.lines.named("delivered")
    assert line["level"] == "info"
    assert line["exc_info"] is None


async def test_a_reject_is_dead_lettered_and_then_deleted(desk: Desk) -> None:
    outcome = await desk.deliver(desk.raised(errors.Reject("no such order")), count=2)
    assert isinstance(outcome, Reject)
    assert desk.journal[-3:] == ["drop m1", "dead_letter m1", "delete m1"]
    assert [(name, reject.reason, attempt) for name, reject, attempt in desk.queue.dead] == [("m1", "no such order", 2)]
    (line,) = desk.life.lines.named("delivered")
    assert (line["level"], line["reason"], line["exc_info"]) == ("warning", "no such order", None)


@pytest.mark.parametrize("ran", [Ran("raised", OSError()), Ran("timeout", TimeoutError())])
async def test_the_last_attempt_that_fails_is_dead_lettered(desk: Desk, ran: Ran) -> None:
    assert isinstance(await desk.deliver(ran, count=4), Retry)
    assert isinstance(await desk.deliver(ran, count=5), Reject)
    assert desk.journal[-2:] == ["dead_letter m1", "delete m1"]


async def test_what_must_leave_is_released_and_never_rejected(desk: Desk) -> None:
    assert await desk.deliver(Ran("interrupted"), count=500) == Release()
    assert desk.journal[-1] == "delay m1 0"
    assert desk.queue.dead == []
    assert desk.life.lines.named("delivered")[0]["level"] == "info"


async def test_a_run_past_its_time_limit_is_retried_as_a_timeout(desk: Desk) -> None:
    assert await desk.deliver(Ran("timeout", TimeoutError("time limit"))) == Retry(22.5, cause="timeout")
    assert desk.journal[-1] == "delay m1 22.5"


async def test_where_there_is_no_dead_letter_queue_a_reject_is_deleted_or_kept_as_told(clock: FakeClock) -> None:
    for choice, last in {"delete": "delete m1", "keep": "delay m1 900"}.items():
        desk = Desk(clock, without_dlq=choice)
        desk.queue.dlq_url = ""
        assert isinstance(await desk.deliver(desk.raised(errors.Reject("x"))), Reject)
        assert desk.journal[-2:] == ["drop m1", last]


async def test_a_lost_lease_leaves_the_message_alone_whatever_the_run_did(clock: FakeClock) -> None:
    for ran in (Ran("returned"), Ran("raised", OSError())):
        desk = Desk(clock)
        desk.queue.troubles["extend"] = [refusal("ReceiptHandleIsInvalid")]
        desk.takes(40, ran)
        delivery = asyncio.ensure_future(desk.deliver())
        await clock.advance(31)
        assert desk.invoker.contexts[0].stopping  # told at once
        assert desk.life.lines.named("lease_lost")[0]["reason"] == "ReceiptHandleIsInvalid"
        await clock.advance(10)
        assert await delivery == LeftAlone()
        assert desk.journal == ["hold m1", "run m1", "extend m1 90", "drop m1"]
        assert desk.life.lines.named("delivered")[0]["ran"] == ran.cause


async def test_a_process_stopped_past_its_lease_and_continued_acknowledges_nothing(desk: Desk) -> None:
    desk.takes(10)
    delivery = asyncio.ensure_future(desk.deliver())
    await desk.clock.advance(5)
    desk.clock.freeze_jump(90)
    await desk.clock.advance(5)
    assert await delivery == LeftAlone()
    assert desk.journal == ["hold m1", "run m1", "drop m1"]


async def test_a_process_stopped_past_its_lease_before_the_run_does_not_begin_it(desk: Desk) -> None:
    class Frozen(Books):
        async def claim(self, hand: Any, decide: Any) -> None:
            del hand, decide
            desk.clock.freeze_jump(100)

    desk.delivery._books = Frozen()
    assert await desk.deliver() == LeftAlone()
    assert "invoke m1" not in desk.journal


async def test_a_process_stopped_while_the_lease_is_being_stopped_acknowledges_nothing(desk: Desk) -> None:
    gate = desk.queue.gates["extend"] = asyncio.Event()
    desk.takes(35)
    delivery = asyncio.ensure_future(desk.deliver())
    await desk.clock.advance(36)  # the run is over, and its last renewal is awaited
    desk.clock.freeze_jump(200)
    gate.set()
    await desk.clock.advance(1)
    assert await delivery == LeftAlone()
    assert "delete m1" not in desk.journal


async def test_the_queue_is_told_only_after_a_renewal_under_way_has_ended(desk: Desk) -> None:
    gate = desk.queue.gates["extend"] = asyncio.Event()
    desk.takes(31)
    delivery = asyncio.ensure_future(desk.deliver())
    await desk.clock.advance(40)
    assert desk.journal == ["hold m1", "run m1", "extend m1 90"]
    assert not delivery.done()
    gate.set()
    assert await delivery == Done()
    assert desk.journal[-2:] == ["drop m1", "delete m1"]
    await desk.clock.advance(1000)
    assert desk.journal[-1] == "delete m1"  # nothing renews what is settled


async def test_the_lease_runs_from_receipt_while_the_handler_works(desk: Desk) -> None:
    desk.takes(900)
    delivery = asyncio.ensure_future(desk.deliver())
    await desk.clock.advance(899)
    (held,) = desk.life.sign.facts["in_hand"].values()
    assert held["lease_until"] >= desk.clock.time() + 60
    await desk.clock.advance(1)
    assert await delivery == Done()
    assert desk.journal.count("extend m1 90") == 29


async def test_the_sign_of_life_says_what_is_needed_to_give_a_message_back(desk: Desk) -> None:
    desk.takes(10)
    delivery = asyncio.ensure_future(desk.deliver(count=3))
    await desk.clock.advance(1)
    desk.invoker.contexts[0].progress(0.4)
    await desk.clock.advance(1)
    (held,) = desk.life.sign.facts["in_hand"].values()
    assert held == {
        "message_id": "m1", "receipt_handle": "handle-m1-3", "attempt": 3, "since": message().received,
        "lease_until": message().received + 90, "progress": 0.4,
    }  # fmt: skip
    await desk.clock.advance(10)
    await delivery
    desk.invoker.contexts[0].progress(0.9)  # too late, from a thread that goes on
    await desk.clock.advance(1)
    assert desk.life.sign.facts["in_hand"] == {}
    assert desk.delivery.in_hand == {}


async def test_a_message_that_arrives_twice_with_the_same_count_is_in_hand_twice(desk: Desk) -> None:
    desk.takes(10)
    both = [asyncio.ensure_future(desk.deliver())]
    await desk.clock.advance(5)
    both.append(asyncio.ensure_future(desk.deliver()))
    await desk.clock.advance(1)
    assert len(desk.life.sign.facts["in_hand"]) == 2
    await desk.clock.advance(5)
    assert both[0].done()
    assert len(desk.life.sign.facts["in_hand"]) == 1
    await desk.clock.advance(10)
    assert [await one for one in both] == [Done(), Done()]


async def test_the_word_to_stop_reaches_every_handler_and_those_that_start_later(desk: Desk) -> None:
    desk.takes(10)
    delivery = asyncio.ensure_future(desk.deliver())
    await desk.clock.advance(1)
    (context,) = desk.invoker.contexts
    assert not context.stopping
    assert context.remaining() == 899
    desk.life.stop.tell("SIGTERM")
    assert context.stopping
    assert context.remaining() == pytest.approx(desk.life.settings.drain_seconds)
    late = asyncio.ensure_future(desk.deliver())
    await desk.clock.advance(1)
    assert desk.invoker.contexts[1].stopping
    await desk.clock.advance(20)
    assert (await delivery, await late) == (Done(), Done())


async def test_remaining_is_what_a_failing_lease_has_left(desk: Desk) -> None:
    desk.queue.troubles["extend"] = [refusal("ServiceUnavailable")] * 50
    desk.takes(100)
    delivery = asyncio.ensure_future(desk.deliver())
    await desk.clock.advance(29)
    assert desk.invoker.contexts[0].remaining() == 871
    await desk.clock.advance(11)
    assert desk.invoker.contexts[0].remaining() == 50
    await desk.clock.advance(50)
    assert desk.invoker.contexts[0].remaining() == 0
    await desk.clock.advance(50)
    assert await delivery == LeftAlone()


async def test_a_handler_that_hangs_keeps_its_lease_until_the_others_are_done(desk: Desk) -> None:
    desk.ran = Ran("timeout", TimeoutError("still running"), hung=True)
    delivery = asyncio.ensure_future(desk.deliver())
    await desk.clock.advance(60)
    assert desk.life.stop.leaving is Leaving.HUNG
    assert desk.life.stop.told
    assert not delivery.done()
    assert len(desk.delivery.hung) == 1
    assert desk.journal.count("extend m1 90") == 2
    desk.life.stop.finish()
    await desk.clock.advance(1)
    assert await delivery == Retry(22.5, cause="timeout")
    assert desk.journal[-2:] == ["drop m1", "delay m1 22.5"]


async def test_a_sync_handler_that_outlasts_the_drain_is_released_without_more_waiting(desk: Desk) -> None:
    desk.life.stop.tell("SIGTERM")
    desk.life.stop.finish()
    assert await desk.deliver(Ran("interrupted", hung=True)) == Release()
    assert desk.delivery.hung == set()
    assert desk.life.stop.leaving is Leaving.STOPPED


async def test_a_retry_is_drawn_in_before_the_deadline_by_what_a_run_usually_takes(clock: FakeClock) -> None:
    desk = Desk(clock, deadline=time(23, 50), timezone="Europe/Paris")  # where the fake clock shows 23:30:00
    assert clock.now().strftime("%H:%M:%S") == "22:30:00"
    desk.takes(100)
    first = asyncio.ensure_future(desk.deliver())
    await clock.advance(100)
    assert await first == Done()
    desk.invoker.run, desk.ran = desk.at_once, Ran("raised", OSError())
    clock.dice = 1
    await clock.advance(600)  # 22:41:40: 500 s are left, of which a run takes 100
    assert await desk.deliver(count=4) == Retry(400)
    await clock.advance(390)  # 110 s are left, 10 after a run: less than the base
    late = await desk.deliver(count=4)
    assert late == Retry(810, past_deadline=True)
    assert desk.life.lines.named("delivered")[-1]["past_deadline"] is True


class Mute(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise self.args[0]


@pytest.mark.parametrize("slip", [RuntimeError, KeyboardInterrupt])
async def test_an_exception_that_cannot_be_put_into_words_is_a_failure_like_any_other(
    desk: Desk, slip: type[BaseException]
) -> None:
    assert isinstance(await desk.deliver(desk.raised(Mute(slip))), Retry)
    assert desk.life.lines.named("delivered")[0]["error"].startswith("Mute: (no text")


async def test_every_line_of_a_delivery_names_its_message_and_attempt(desk: Desk) -> None:
    desk.queue.troubles["delete"] = [refusal("ReceiptHandleIsInvalid")]
    await desk.deliver(count=3)
    assert [line["event"] for line in desk.life.lines.lines] == ["settle_failed", "delivered"]
    assert {(line["message_id"], line["attempt"]) for line in desk.life.lines.lines} == {("m1", 3)}
    assert desk.invoker.contexts[0].attempt == 3


def counted(desk: Desk) -> dict[str, Any]:
    """What CloudWatch reads from the last delivery's line."""
    found = desk.life.lines.named("delivered")[-1].get(logs.METRICS, {})
    return {name: value for name, value in found.items() if name not in {"_aws", "Queue"}}


async def test_each_delivery_s_own_line_counts_it(clock: FakeClock) -> None:
    desk = Desk(clock, metrics="emf")
    desk.takes(12)
    done = asyncio.ensure_future(desk.deliver())
    await clock.advance(12)
    assert await done == Done()
    assert counted(desk) == {"Succeeded": 1, "SecondsPerMessage": 12}
    line = desk.life.lines.named("delivered")[-1][logs.METRICS]
    assert line["Queue"] == "orders"
    assert line["_aws"]["Timestamp"] == int(clock.time() * 1000)
    desk.invoker.run = desk.at_once
    await desk.deliver(desk.raised(OSError()))
    assert counted(desk) == {"Failed": 1}
    await desk.deliver(desk.raised(errors.Reject()))
    assert counted(desk) == {"Failed": 1}
    await desk.deliver(desk.raised(errors.Retry(5)))
    assert counted(desk) == {}
    await desk.deliver(Ran("interrupted"))
    assert counted(desk) == {}


async def test_where_no_metrics_are_published_a_line_bears_none(desk: Desk) -> None:
    await desk.deliver()
    assert counted(desk) == {}


async def test_the_sign_of_life_counts_runs_that_succeeded_with_their_seconds(clock: FakeClock) -> None:
    desk = Desk(clock)
    for seconds, ran in ((12, None), (40, None), (99, Ran("raised", OSError()))):
        desk.takes(seconds, ran)
        task = asyncio.ensure_future(desk.deliver())
        await clock.advance(seconds)
        await task
    facts = desk.life.sign.facts
    assert (facts["runs"], facts["run_seconds"], facts["longest_run"]) == (2, 52, 40)


async def test_a_retry_once_it_is_late_says_that_it_is(clock: FakeClock) -> None:
    desk = Desk(clock, deadline=time(22, 15), timezone="UTC")  # a quarter of an hour ago
    assert await desk.deliver(desk.raised(OSError())) == Retry(22.5, past_deadline=True)
    assert await desk.deliver(desk.raised(errors.Retry(5))) == Retry(5, cause="asked", past_deadline=True)

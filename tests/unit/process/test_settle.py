from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ConnectTimeoutError

from consumer.message.lease import Lease
from consumer.message.outcome import Done, LeftAlone, Outcome, Reject, Release, Retry
from consumer.process.context import Context
from consumer.process.delivery import InHand
from consumer.process.settle import Settler
from unit.doubles import FakeQueue, Living, living, message, refusal

if TYPE_CHECKING:
    from consumer.testing import FakeClock

AWAY = ConnectTimeoutError(endpoint_url="https://sqs")
ALL = [Done(), Retry(30), Release(), Reject("x")]


class Counter:
    """Settles messages whose lease has 90 s left."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.life: Living = living(clock)
        self.queue = FakeQueue(clock)
        self.settler = Settler(self.life, self.queue)
        self.lease = Lease(message(), self.queue, clock, visibility=90, heartbeat=30)
        context = Context(7, self.life.log, remaining=lambda: 90)
        self.hand = InHand(message(), context, self.lease, self.life.log, 0.0, "m1.1")

    def settle(self, outcome: Outcome) -> asyncio.Task[Outcome]:
        return asyncio.ensure_future(self.settler.settle(self.hand, outcome))


@pytest.fixture
async def counter(clock: FakeClock) -> Counter:
    return Counter(clock)


@pytest.mark.parametrize(
    ("outcome", "verb"), [(Done(), "delete"), (Retry(30), "delay"), (Release(), "delay"), (Reject("x"), "dead_letter")]
)
async def test_a_call_that_fails_is_tried_again_for_as_long_as_the_lease_lasts(
    counter: Counter, outcome: Outcome, verb: str
) -> None:
    counter.queue.troubles[verb] = [AWAY] * 8
    settling = counter.settle(outcome)
    await counter.clock.advance(60)
    assert await settling == outcome
    assert len([call for call in counter.queue.journal if call.startswith(verb)]) == 9
    assert counter.life.lines.lines == []


async def test_the_tries_come_soon_at_first_and_then_at_most_each_five_seconds(counter: Counter) -> None:
    counter.clock.dice = 1
    counter.queue.troubles["delete"] = [AWAY] * 100
    settling = counter.settle(Done())
    await counter.clock.advance(0.4)
    assert len(counter.queue.journal) == 2
    await counter.clock.advance(49.6)
    assert 10 <= len(counter.queue.journal) <= 14
    counter.queue.troubles.clear()
    await counter.clock.advance(5)
    assert await settling == Done()


@pytest.mark.parametrize("outcome", ALL)
async def test_no_call_is_made_once_the_lease_is_over(counter: Counter, outcome: Outcome) -> None:
    counter.clock.freeze_jump(90)
    assert await counter.settle(outcome) == LeftAlone()
    assert counter.queue.journal == []


async def test_a_process_frozen_between_two_tries_makes_no_third(counter: Counter) -> None:
    counter.queue.troubles["delete"] = [AWAY]
    settling = counter.settle(Done())
    await counter.clock.rest()
    counter.clock.freeze_jump(90)
    await counter.clock.advance(5)
    assert await settling == LeftAlone("settle_failed")
    assert counter.queue.journal == ["delete m1"]


async def test_a_queue_that_stays_away_costs_one_delivery_and_says_so(counter: Counter) -> None:
    counter.queue.troubles["delete"] = [AWAY] * 1000
    settling = counter.settle(Done())
    await counter.clock.advance(89)
    assert not settling.done()
    await counter.clock.advance(10)
    assert await settling == LeftAlone("settle_failed")
    (line,) = counter.life.lines.named("settle_failed")
    assert line["outcome"] == "done"
    assert "comes back" in line["meanwhile"]


@pytest.mark.parametrize("code", ["ReceiptHandleIsInvalid", "AccessDenied", "InvalidParameterValue"])
async def test_what_waiting_does_not_cure_is_not_tried_again(counter: Counter, code: str) -> None:
    counter.queue.troubles["delete"] = [refusal(code)]
    outcome = await counter.settle(Done())
    assert outcome == LeftAlone("refused" if code == "AccessDenied" else "settle_failed")
    assert outcome.failed == (code == "AccessDenied")
    assert counter.queue.journal == ["delete m1"]
    assert code in counter.life.lines.named("settle_failed")[0]["error"]


async def test_a_message_that_the_dead_letter_queue_refuses_is_kept(counter: Counter) -> None:
    counter.queue.troubles["dead_letter"] = [refusal("AccessDenied")]
    assert await counter.settle(Reject("x")) == LeftAlone("refused")
    assert counter.queue.journal == ["dead_letter m1"]


async def test_a_message_that_is_too_much_for_the_dead_letter_queue_stays_in_its_own_for_later(
    counter: Counter,
) -> None:
    counter.queue.troubles["dead_letter"] = [refusal("InvalidParameterValue")]
    outcome = await counter.settle(Reject("x"))
    assert (outcome, outcome.failed) == (Reject("x"), True)
    assert counter.queue.journal == ["dead_letter m1", "delay m1 900"]
    assert len(counter.life.lines.named("dead_letter_refused")) == 1


async def test_a_message_is_sent_to_the_dead_letter_queue_once_however_often_its_delete_fails(counter: Counter) -> None:
    counter.queue.troubles["delete"] = [AWAY] * 3
    settling = counter.settle(Reject("x"))
    await counter.clock.advance(30)
    assert await settling == Reject("x")
    assert counter.queue.journal == ["dead_letter m1"] + ["delete m1"] * 4


async def test_a_dead_letter_bears_the_attempt_that_the_handler_saw(counter: Counter) -> None:
    await counter.settle(Reject("x"))
    assert [attempt for _, _, attempt in counter.queue.dead] == [7]


async def test_a_reason_that_found_no_room_is_logged(counter: Counter) -> None:
    counter.queue.with_reason = False
    await counter.settle(Reject("x"))
    assert len(counter.life.lines.named("reject_reason_left_out")) == 1


async def test_a_fault_of_this_program_is_not_taken_for_the_queue_s(counter: Counter) -> None:
    counter.queue.troubles["delete"] = [KeyError("x")]
    with pytest.raises(KeyError):
        await counter.settle(Done())

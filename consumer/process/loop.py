"""The loop of one process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from consumer import queuename
from consumer.errors import described, problem
from consumer.message.trouble import explained
from consumer.process import quiet
from consumer.process.patience import Verb
from consumer.process.stop import Leaving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from consumer.message.message import Message
    from consumer.message.outcome import Outcome
    from consumer.message.queue import Queue
    from consumer.process.books import Books
    from consumer.process.delivery import Delivery
    from consumer.process.life import Life
    from consumer.process.recycle import Recycle
    from consumer.process.tidy import Tidy

T = TypeVar("T")
TRIES = 5  # to give back what was received too late
LAST_CALLS = 8.0  # seconds for the queue's last answers once handlers are not waited for
EMPTYING = 30.0  # seconds without receiving, at most, for what is in hand to end
LAST_LINES = 1.0  # seconds before supervisord kills, for the last log lines


class Loop:
    """Receives messages and has them delivered, until told to stop or worn out."""

    def __init__(
        self, life: Life, queue: Queue, books: Books, delivery: Delivery, recycle: Recycle, tidy: Tidy
    ) -> None:
        self.running: set[asyncio.Task[Outcome]] = set()
        self._settings, self._clock, self._stop = life.settings, life.clock, life.stop
        self._pulse, self._patience, self._log = life.pulse, life.patience, life.log
        self._queue = queue
        self._books = books
        self._delivery = delivery
        self._recycle = recycle
        self._tidy = tidy
        life.stop.on_told.append(lambda: life.pulse.write(state="draining"))

    async def run(self) -> Leaving:
        """Receive and deliver until told to stop or worn out; say why it ended."""
        await self.open()
        while not self.must_leave():
            await self.rest()
            await self.room()
            for message in await self.receive():
                self.start(message)
        await self.drain()
        return self._stop.leaving

    def must_leave(self) -> bool:
        """Whether to take no more messages."""
        if not self._stop.requested.done():
            if self._patience.over():
                self._stop.retire(Leaving.REFUSED, self._patience.why)
            elif reason := self._recycle.reason():
                self._stop.retire(*reason)
        return self._stop.requested.done()

    async def open(self) -> None:
        """Find the queue and its dead-letter queue, however long the network takes."""
        while not await self.ask(self._queue.open) or not await self._books.open():
            if self._stop.requested.done():
                return
        if not self._queue.dlq_url and self._settings.without_dlq == "refuse":
            wrong = problem(
                "CONSUMER_DLQ_URL", "a dead-letter queue", "none, and the queue has no RedrivePolicy",
                "set one of them, or CONSUMER_WITHOUT_DLQ=delete or keep",
            )  # fmt: skip
            self._log.error("wrong_settings", problem=wrong)
            self._stop.retire(Leaving.SETTINGS, wrong)
            return
        self._log.info("process_ready", dlq=queuename.of(self._queue.dlq_url) or self._settings.without_dlq)

    def free(self) -> int:
        """Give how many messages there is room for: slots, and what this life may still take."""
        if self._delivery.company.reserved:
            return 0
        running = len(self.running)
        return int(min(self._settings.concurrency - running, self._recycle.left(running)))

    @property
    def quiet(self) -> bool:
        """Whether to take no messages though this life goes on: told by SIGTSTP, or with the whole container."""
        return self._stop.quiet or quiet.holds(self._pulse.path.parent)

    async def rest(self) -> None:
        """Take nothing while quiet; what is in hand goes on."""
        if not self.quiet:
            return
        self._log.info("quiet", in_hand=len(self.running))
        self._pulse.write(state="quiet")
        while self.quiet and not self.must_leave():
            await self._clock.first(self._stop.requested, seconds=quiet.LOOK)
        if not self._stop.requested.done():
            self._log.info("resumed")
            if self.running:
                self._pulse.write(state="busy")

    async def room(self) -> None:
        """Wait for a free slot, tidy up when nothing is in hand, and pause after failures in a row."""
        if self.running:
            await self._clock.first(seconds=0)  # what was just started says now whether it must be alone
        while self.running and self.free() < 1 and not self._stop.requested.done():
            await self._clock.first(*self.running, self._stop.requested)
        if self.running and self._tidy.overdue(self._recycle.handled):
            await self.empty_hands()
        if not self.running:
            await self._tidy.between(self._recycle.handled)
        await self._books.ready()
        if pause := self._recycle.pause():
            self._log.warning("pausing_after_failures", failures=self._recycle.failures, seconds=round(pause, 1))
            await self._clock.first(self._stop.requested, seconds=pause)

    async def empty_hands(self) -> None:
        """Let what is in hand end; one that is slow is not waited for."""
        end = self._clock.monotonic() + EMPTYING
        while self.running and not self._stop.requested.done() and (left := end - self._clock.monotonic()) > 0:
            await self._clock.first(*self.running, self._stop.requested, seconds=left)

    async def receive(self) -> list[Message[str]]:
        """Take as many messages as there are free slots; what arrives after the word to stop is given back."""
        free = self.free()
        if free < 1 or self.must_leave():
            return []
        if not self.running:
            self._idle()
        if self.quiet:  # asked last: whoever waits for the container to be quiet takes an idle one for a receiving one
            return []
        messages = await self.ask(lambda: self._queue.receive(free))
        if messages is None:
            return []
        facts = self._pulse.facts
        facts["last_receive"] = self._clock.time()
        facts["empty_receives"] = 0 if messages else facts["empty_receives"] + 1
        if messages and (self._stop.requested.done() or self.quiet):
            await self.give_back(messages)
            return []
        return messages

    def _idle(self) -> None:
        """Note that nothing is in hand, and since when: health counts the queue's silence from then on."""
        if self._pulse.facts["state"] != "idle":
            self._pulse.facts["idle_since"] = self._clock.time()
        self._pulse.write(state="idle")

    async def ask(self, verb: Callable[[], Awaitable[T]]) -> T | None:
        """Ask the queue, and await the answer; on an error wait, or retire when waiting will not cure it."""
        asking = asyncio.ensure_future(verb())
        await self._clock.first(asking, self._stop.over)
        if not asking.done():
            return None
        error = asking.exception()
        if error is None:
            self._patience.answered(Verb.RECEIVE)
            return asking.result()
        seconds = self._patience.failed(error)
        if seconds is None:
            self._stop.retire(Leaving.REFUSED, self._patience.why)
        else:
            self._log.warning("queue_error", error=explained(error), again_in=round(seconds, 1))
            stop = self._stop
            await self._clock.first(stop.over if stop.requested.done() else stop.requested, seconds=seconds)
        return None

    async def give_back(self, messages: list[Message[str]]) -> None:
        """Give back what was received too late to be handled; nobody has failed."""
        ids = [one.id for one in messages]
        for _ in range(TRIES):
            refused = await self.ask(lambda: self._queue.release(messages))
            if refused is not None:
                self._log.info("given_back", messages=len(messages) - len(refused), message_ids=ids)
                return
        unheard = "the queue does not answer"  # why, each try has said
        self._log.error("not_given_back", messages=len(ids), message_ids=ids, error=unheard, again=False)

    def start(self, message: Message[str]) -> None:
        """Start one delivery beside the others."""
        self._pulse.facts["state"] = "busy"
        task = asyncio.create_task(self._delivery.deliver(message), name=f"deliver-{message.id}")
        self.running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Outcome]) -> None:
        self.running.discard(task)
        if (error := task.exception()) is not None:
            self._log.error("delivery_broken", error=described(error), exc_info=error)
            self._stop.tell(f"a delivery broke: {error}", Leaving.BROKEN)
            return
        self._recycle.record(task.result())
        self._pulse.facts["handled"] = self._recycle.handled

    async def drain(self) -> None:
        """Let what is in hand end: without limit when retiring, for the drain's seconds when told to stop.

        What has not ended by then, and what hangs, is settled in one step; the process leaves at once after it.
        """
        self._pulse.write(state="draining")
        while len(self.running) > len(self._delivery.hung) and not self._stop.over.done():
            await self._clock.first(*self.running, self._stop.over)
        if self._stop.leaving.worn_out:
            await self._clock.first(self._stop.telling, seconds=self._recycle.too_young())
        self._queue.hurry()
        self._stop.finish()
        if self.running:
            killed = self._settings.stop_wait_seconds - self._settings.drain_seconds
            seconds = min(LAST_CALLS, killed - LAST_LINES)
            await self._clock.first(asyncio.gather(*self.running, return_exceptions=True), seconds=seconds)

"""One delivery, top to bottom."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from consumer import errors
from consumer.message.backoff import Backoff, Moment, decide
from consumer.message.lease import Lease
from consumer.message.outcome import Done, LeftAlone, Outcome, Reject, Release, Retry
from consumer.message.trouble import explained
from consumer.process import metrics
from consumer.process.company import Company
from consumer.process.context import Context
from consumer.process.crashes import Crashes
from consumer.process.invoke import Ran
from consumer.process.patience import Verb
from consumer.process.stop import Leaving

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from consumer.message.ledger import Claim
    from consumer.message.message import Message
    from consumer.message.queue import Queue
    from consumer.message.transaction import Transaction
    from consumer.process.books import Books
    from consumer.process.invoke import Invoker
    from consumer.process.life import Life
    from consumer.process.settle import Settler

NOT_RUN = Ran("not run")
SMOOTHING = 0.2  # of the newest run in the mean of the usual ones


@dataclass(slots=True)
class InHand:
    """What is kept of one delivery while it lasts."""

    message: Message[str]
    context: Context
    lease: Lease
    log: FilteringBoundLogger
    began: float
    key: str
    written: Transaction | None = None
    claim: Claim | None = None
    ran: Ran = NOT_RUN
    suspect: bool = False

    def number(self, attempt: int) -> None:
        """Say which run this is, where the books know better than SQS."""
        self.context.attempt = attempt
        self.log = self.context.log = self.log.bind(attempt=attempt)


class Delivery:
    """Delivers messages one by one or side by side; knows nothing of where they come from."""

    def __init__(self, life: Life, queue: Queue, invoker: Invoker, settler: Settler, books: Books) -> None:
        self.in_hand: dict[str, InHand] = {}
        self.hung: set[str] = set()
        self._settings, self._clock, self._stop = life.settings, life.clock, life.stop
        self._pulse, self._patience, self._log = life.pulse, life.patience, life.log
        self._queue = queue
        self._invoker = invoker
        self._settler = settler
        self._books = books
        self._crashes = Crashes(life.pulse.path.parent)
        self.company = Company(life.clock)
        self._usual_run = 0.0
        self._numbers = count(1)
        life.stop.on_told.append(self._tell_all)

    async def deliver(self, message: Message[str]) -> Outcome:
        """Lease from receipt: claim, run, decide, close; then it is stopped and awaited, and the queue is told."""
        hand = self._take(message)
        async with hand.lease:
            outcome = await self._books.claim(hand, self._decide)
            if outcome is None:
                hand.ran = await self._run(hand)
                outcome = await self._books.close(hand, self._decide)
        self._drop(hand)
        outcome = await self._settler.settle(hand, outcome, fenced=self._books.fenced)
        if hand.suspect and isinstance(outcome, Done | Reject):
            self._crashes.forget(hand.message.id)
        self._report(hand, outcome)
        return outcome

    async def _run(self, hand: InHand) -> Ran:
        """See a run through. One that hangs keeps its lease until the others are done: only its process can end it."""
        if hand.lease.lost:  # this process was stopped for so long: somebody else may have run it by now
            return Ran("interrupted")
        if self._stop.told:
            hand.context.tell()
        ran = await self._in_turn(hand)
        if ran.hung and not self._stop.over.done():
            self.hung.add(hand.key)
            self._stop.tell(f"the handler hangs on message {hand.message.id}", Leaving.HUNG)
            await self._stop.over
        self._note_run(hand, ran)
        return ran

    async def _in_turn(self, hand: InHand) -> Ran:
        """Run the handler. A message with crashes on record runs alone, and no more after `max_crashes`."""
        record = self._books.crashes(hand, self._crashes.of(hand.message.id))
        hand.suspect = record.crashes > 0
        if record.alone >= self._settings.max_crashes:
            return Ran("raised", errors.Reject("crash"))
        waits = partial(self._pulse.hold, hand.key, waiting=True)
        if not await self.company.enter(self._stop.telling, suspect=hand.suspect, waits=waits):
            return Ran("interrupted")
        try:
            hand.began = self._clock.monotonic()
            if self._pulse.facts["in_hand"].get(hand.key, {}).get("waiting"):
                self._pulse.hold(hand.key, waiting=False)
            return await self._invoker.invoke(hand.message, hand.context, self._stop)
        finally:
            self.company.leave()

    def _decide(self, hand: InHand) -> Outcome:
        """Turn the run's end into an outcome."""
        ran = hand.ran
        if hand.lease.lost and not (self._books.fenced and ran.cause == "returned"):
            # An old receipt handle may still be honoured, and would settle what is now another's.
            return LeftAlone("refused") if hand.lease.denied else LeftAlone()
        if ran.cause == "returned":
            return Done()
        if ran.cause == "interrupted":
            return Release()
        settings, clock = self._settings, self._clock
        assert ran.error is not None
        until = settings.window.left(clock.now()) if settings.window else None
        return decide(
            ran.error,
            hand.context.attempt,
            cause=ran.cause,
            backoff=Backoff.of(settings),
            max_attempts=settings.max_attempts,
            moment=Moment(hand.lease.left_of_sqs, until, self._usual_run),
            uniform=clock.uniform,
        )

    def _take(self, message: Message[str]) -> InHand:
        """Note a message as in hand, before anything else is done with it."""
        settings, clock = self._settings, self._clock
        began, attempt = clock.monotonic(), message.receive_count
        key = f"{message.id}.{next(self._numbers)}"  # SQS may hand out a message twice with the same count
        lease = Lease(
            message,
            self._queue,
            clock,
            visibility=settings.visibility_timeout,
            heartbeat=settings.heartbeat_interval,
            changed=lambda lease: self._lease_changed(key, lease),
        )
        on_loop = asyncio.get_running_loop().call_soon_threadsafe
        log = self._log.bind(message_id=message.id, attempt=attempt)
        written = self._books.transaction()
        context = Context(
            attempt,
            log,
            remaining=lambda: min(
                hand.began + settings.time_limit - clock.monotonic(), self._stop.left(), lease.remaining
            ),
            progress=lambda fraction: on_loop(self._progress, key, fraction),
            written=written,
        )
        hand = InHand(message, context, lease, log, began, key, written)
        self.in_hand[key] = hand
        self._pulse.hold(
            key,
            message_id=message.id,
            receipt_handle=message.receipt_handle,
            attempt=attempt,
            since=message.received,
            lease_until=message.received + settings.visibility_timeout,
            **({"waiting": True} if self.company.reserved else {}),  # from the start: its neighbour may be about to die
        )
        return hand

    def _drop(self, hand: InHand) -> None:
        self.in_hand.pop(hand.key, None)
        self._pulse.drop(hand.key)

    def _lease_changed(self, key: str, lease: Lease) -> None:
        hand = self.in_hand.get(key)
        if hand is None:
            return
        if lease.failing:
            self._patience.refused(Verb.RENEW, lease.failing)
        if lease.lost:
            hand.context.tell()
            hand.log.warning("lease_lost", reason=lease.refused)
        elif lease.failing:
            hand.log.warning("renewal_failed", error=explained(lease.failing), lease_seconds=round(lease.remaining, 1))
        else:
            self._patience.answered(Verb.RENEW)
            self._books.renew(hand)
            self._pulse.hold(key, lease_until=self._clock.time() + lease.until - self._clock.monotonic())

    def _progress(self, key: str, fraction: float) -> None:
        if key in self.in_hand:
            self._pulse.hold(key, progress=fraction)

    def _tell_all(self) -> None:
        for hand in self.in_hand.values():
            hand.context.tell()

    def _note_run(self, hand: InHand, ran: Ran) -> None:
        if ran.cause == "returned":
            seconds = self._clock.monotonic() - hand.began
            self._usual_run += (seconds - self._usual_run) * (SMOOTHING if self._usual_run else 1)
            self._pulse.ran(seconds)

    def _report(self, hand: InHand, outcome: Outcome) -> None:
        """Log the one line that every delivery ends with."""
        ran, seconds = hand.ran, round(self._clock.monotonic() - hand.began, 3)
        facts: dict[str, Any] = {"outcome": outcome.name, "cause": outcome.cause, "seconds": seconds}
        match outcome:
            case Retry(delay=delay, past_deadline=late):
                facts |= {"delay": round(delay, 1)} | ({"past_deadline": True} if late else {})
            case Reject(reason=reason):
                facts["reason"] = reason
            case LeftAlone():
                facts["ran"] = ran.cause  # a run that returned is a run that will be repeated
        if ran.error is not None:
            facts["error"] = errors.described(ran.error)
        bad = outcome.failed or isinstance(outcome, LeftAlone)
        wants_trace = bad and ran.cause == "raised" and not isinstance(ran.error, errors.Reject)
        say = hand.log.warning if bad else hand.log.info
        facts |= metrics.said(self._settings, self._clock.time(), metrics.of(outcome, seconds))
        say("delivered", **facts, exc_info=ran.error if wants_trace else None)

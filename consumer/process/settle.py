"""Tells the queue how a delivery ended: the last step, after the lease is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from consumer.message.backoff import within
from consumer.message.outcome import Done, LeftAlone, Outcome, Reject, Release, Retry
from consumer.message.trouble import Trouble, explained, trouble
from consumer.process.patience import Verb

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from consumer.message.lease import Lease
    from consumer.message.queue import Queue
    from consumer.process.delivery import InHand
    from consumer.process.life import Life

LONGEST_WAIT = 5.0  # seconds between tries


class Settler:
    """Settles messages. A call that fails is tried again for as long as the message is surely ours."""

    def __init__(self, life: Life, queue: Queue) -> None:
        self._settings, self._clock, self._patience = life.settings, life.clock, life.patience
        self._queue = queue

    async def settle(self, hand: InHand, outcome: Outcome, *, fenced: bool = False) -> Outcome:
        """Tell the queue; return what became of the message: LeftAlone when the queue would not have it.

        fenced: the ledger has taken a success in, and whoever gets the message next will not run it.
        """
        # The lease may have ended while its last renewal was awaited, the process being stopped and continued.
        if hand.lease.lost and not (fenced and isinstance(outcome, Done)):
            return LeftAlone()
        try:
            await self._tell(hand, outcome)
        except Exception as error:
            if trouble(error) is Trouble.FAULT:
                raise
            hand.log.error(  # noqa: TRY400 - where it comes from says nothing, what it says all
                "settle_failed",
                outcome=outcome.name,
                error=explained(error),
                meanwhile="the message comes back when its lease ends",
            )
            return LeftAlone("refused" if self._patience.refused(Verb.SETTLE, error) else "settle_failed")
        self._patience.answered(Verb.SETTLE)
        return outcome

    async def _tell(self, hand: InHand, outcome: Outcome) -> None:
        queue, lease, message = self._queue, hand.lease, hand.message
        match outcome:
            case Done():
                await self._persist(lambda: queue.delete(message), lease)
            case Retry(delay=delay):
                await self._persist(lambda: queue.delay(message, delay), lease)
            case Release():
                await self._persist(lambda: queue.delay(message, 0), lease)
            case Reject() if await self._buried(hand, outcome):
                await self._persist(lambda: queue.delete(message), lease)
            case Reject():
                later = within(self._settings.backoff_cap, left=lease.left_of_sqs)
                await self._persist(lambda: queue.delay(message, later), lease)
            case LeftAlone():
                pass

    async def _buried(self, hand: InHand, reject: Reject) -> bool:
        """Send a message to the dead-letter queue, if there is one; say whether it may be deleted."""
        if not self._queue.dlq_url:
            return self._settings.without_dlq == "delete"
        try:
            await self._persist(lambda: self._dead_letter(hand, reject), hand.lease)
        except ClientError as error:
            if trouble(error) is not Trouble.HANDLE:
                raise
            meanwhile = "the message stays in its queue"
            hand.log.error("dead_letter_refused", error=explained(error), meanwhile=meanwhile)  # noqa: TRY400 - as above
            return False
        return True

    async def _dead_letter(self, hand: InHand, reject: Reject) -> None:
        if not await self._queue.dead_letter(hand.message, reject, hand.context.attempt):
            hand.log.warning("reject_reason_left_out", why="ten attributes or 1 MiB are full")

    async def _persist(self, verb: Callable[[], Awaitable[None]], lease: Lease) -> None:
        """Try until it works or the lease is over; then the message may be somebody else's."""
        clock = self._clock

        def pause(state: RetryCallState) -> float:
            return clock.uniform(0.1, min(LONGEST_WAIT, 0.2 * 2.0 ** min(state.attempt_number, 10)))

        async for attempt in AsyncRetrying(
            retry=retry_if_exception(lambda error: trouble(error) is Trouble.AWAY),
            stop=lambda _: lease.lost,
            wait=pause,
            sleep=clock.sleep,
            reraise=True,
        ):
            with attempt:
                if attempt.retry_state.attempt_number > 1 and lease.lost:
                    raise TimeoutError("the lease ran out between two tries")
                await verb()

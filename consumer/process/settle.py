"""Tells the queue how a delivery ended: the last step, after the lease is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from consumer.message.backoff import within
from consumer.message.outcome import Done, LeftAlone, Outcome, Reject, Release, Retry
from consumer.message.trouble import Trouble, explained, trouble
from consumer.process.patience import Verb

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from structlog.typing import FilteringBoundLogger

    from consumer.message.lease import Lease
    from consumer.message.message import Message
    from consumer.message.queue import Queue
    from consumer.process.life import Life

LONGEST_WAIT = 5.0  # seconds between tries


class Settler:
    """Settles messages. A call that fails is tried again for as long as the message is surely ours."""

    def __init__(self, life: Life, queue: Queue) -> None:
        self._settings, self._clock, self._patience = life.settings, life.clock, life.patience
        self._queue = queue

    async def settle(
        self, lease: Lease, outcome: Outcome, log: FilteringBoundLogger, *, fenced: bool = False
    ) -> Outcome:
        """Tell the queue; return what became of the message: LeftAlone when the queue would not have it.

        fenced: the ledger has taken a success in, and whoever gets the message next will not run it.
        """
        if lease.lost and not (
            fenced and isinstance(outcome, Done)
        ):  # the process may have been stopped and continued while the lease's last renewal was awaited
            return LeftAlone()
        try:
            await self._tell(lease, outcome, log)
        except Exception as error:
            if trouble(error) is Trouble.FAULT:
                raise
            log.error(  # noqa: TRY400 - where it comes from says nothing, what it says all
                "settle_failed",
                outcome=outcome.name,
                error=explained(error),
                meanwhile="the message comes back when its lease ends",
            )
            return LeftAlone("refused" if self._patience.refused(Verb.SETTLE, error) else "settle_failed")
        self._patience.answered(Verb.SETTLE)
        return outcome

    async def _tell(self, lease: Lease, outcome: Outcome, log: FilteringBoundLogger) -> None:
        queue, message = self._queue, lease.message
        match outcome:
            case Done():
                await self._persist(lambda: queue.delete(message), lease)
            case Retry(delay=delay):
                await self._persist(lambda: queue.delay(message, delay), lease)
            case Release():
                await self._persist(lambda: queue.delay(message, 0), lease)
            case Reject() if await self._buried(lease, outcome, log):
                await self._persist(lambda: queue.delete(message), lease)
            case Reject():
                later = within(self._settings.backoff_cap, left=lease.left_of_sqs)
                await self._persist(lambda: queue.delay(message, later), lease)
            case LeftAlone():
                pass

    async def _buried(self, lease: Lease, reject: Reject, log: FilteringBoundLogger) -> bool:
        """Send a message to the dead-letter queue, if there is one; say whether it may be deleted."""
        if not self._queue.dlq_url:
            return self._settings.without_dlq == "delete"
        try:
            await self._persist(lambda: self._dead_letter(lease.message, reject, log), lease)
        except ClientError as error:
            if trouble(error) is not Trouble.HANDLE:
                raise
            log.error("dead_letter_refused", error=explained(error), meanwhile="the message stays in its queue")  # noqa: TRY400
            return False
        return True

    async def _dead_letter(self, message: Message[Any], reject: Reject, log: FilteringBoundLogger) -> None:
        if not await self._queue.dead_letter(message, reject, message.receive_count):
            log.warning("reject_reason_left_out", why="ten attributes or 1 MiB are full")

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

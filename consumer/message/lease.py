"""Keeps one message invisible while it is worked on, whatever the handler does, and says when the lease is lost."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Protocol, Self

from consumer.limits import VISIBILITY_MAX
from consumer.message.trouble import Trouble, code, trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.clock import Clock, Timer
    from consumer.message.message import Message

AGAIN = 1 / 6  # of the heartbeat interval: how soon a renewal that failed is tried again
MARGIN = 5  # seconds of SQS's 12 h that are left alone: it counts from before we do, and refuses one second too many


class Extends(Protocol):
    """The queue's verb that a lease needs."""

    async def extend(self, message: Message[Any], seconds: float) -> None:
        """Keep a message hidden for so many seconds from now."""


class Lease:
    """One message's lease, held from receipt. Times are seconds of the monotonic clock.

    Lost means: a renewal was refused, or none has succeeded for a whole visibility timeout. A process that was stopped
    and continued never sees a refusal, so the clock is asked before every acknowledgement.
    """

    def __init__(
        self,
        message: Message[Any],
        queue: Extends,
        clock: Clock,
        *,
        visibility: float,
        heartbeat: float,
        changed: Callable[[Lease], None] = lambda _: None,
    ) -> None:
        self.message = message
        self.received = clock.monotonic()
        self.until = self.received + visibility
        self.refused: str | None = None
        self.failing: Exception | None = None
        self._queue = queue
        self._clock = clock
        self._visibility = visibility
        self._heartbeat = heartbeat
        self._changed = changed
        self._timer: Timer | None = None
        self._expiry: Timer | None = None
        self._renewal: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def lost(self) -> bool:
        """Whether somebody else may hold the message by now."""
        return self.refused is not None or self._clock.monotonic() >= self.until

    @property
    def denied(self) -> bool:
        """Whether the last renewal was not allowed at all, which says nothing about whose the message is."""
        return self.failing is not None and trouble(self.failing) is Trouble.REFUSED

    @property
    def remaining(self) -> float:
        """Seconds that the lease is sure to last: endless while its renewals succeed, none once it is lost."""
        if self.lost:
            return 0.0
        return self.until - self._clock.monotonic() if self.failing else float("inf")

    @property
    def left_of_sqs(self) -> float:
        """Seconds that SQS still allows this receipt to be kept: 12 h from it, whatever was extended."""
        return self.received + VISIBILITY_MAX - self._clock.monotonic()

    async def __aenter__(self) -> Self:
        self._schedule(self._heartbeat)
        self._expire_later()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Renew no more, and wait for a renewal under way: a late one would undo the delete or delay that follows."""
        self._stopped = True
        for timer in (self._timer, self._expiry):
            if timer:
                timer.cancel()
        if self._renewal:
            await asyncio.wait([self._renewal])

    def _schedule(self, seconds: float) -> None:
        if not self._stopped and not self.lost:
            self._timer = self._clock.call_later(seconds, self._start)

    def _expire_later(self) -> None:
        if self._expiry:
            self._expiry.cancel()
        self._expiry = self._clock.call_later(self.until - self._clock.monotonic(), self._expired)

    def _expired(self) -> None:
        self.refused = "not renewed in time"
        self._changed(self)

    def _start(self) -> None:
        self._renewal = asyncio.ensure_future(self._renew())

    async def _renew(self) -> None:
        asked = self._clock.monotonic()
        seconds = min(self._visibility, math.floor(self.left_of_sqs - MARGIN))
        if self.lost or seconds < 1:  # a timeout of 0 would give the message away
            return
        try:
            await self._queue.extend(self.message, seconds)
        except Exception as error:  # noqa: BLE001 - every kind is told apart, and the worst of them costs this lease
            self.failing = error
            if trouble(error) is Trouble.HANDLE:
                self.refused = code(error)
                if self._expiry:  # it would say so again
                    self._expiry.cancel()
            self._schedule(self._heartbeat * AGAIN)
            self._changed(self)
            return
        self.failing = None
        self.until = asked + seconds  # from the asking: SQS counted from some moment after it
        if not self._stopped and not self.refused:
            self._expire_later()
        self._schedule(self._heartbeat)
        self._changed(self)

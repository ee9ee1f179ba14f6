"""Ends the container once its queue is empty: a task that was started for one load of messages leaves by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from consumer.message.trouble import explained

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import FilteringBoundLogger

    from consumer.clock import Clock
    from consumer.container.picture import Picture
    from consumer.message.queue import Counts

EMPTY = 3  # receives in a row, of each process, that brought nothing
AGAIN = 15.0  # seconds, at most, until the next look at counts that were not zero


class Counting(Protocol):
    """The queue's verb that is needed here."""

    async def counts(self) -> Counts:
        """Read the queue's counts."""


class Drained:
    """A duty of the agent.

    Empty is what the processes' receives and the queue's counts say alike. Neither alone will do: counts lag, and a
    receive does not see what is delayed, or in hand elsewhere.

    seconds: from the first count of zero to the second; whatever comes in between begins it again.
    leave: called once.
    """

    name = "drained"

    def __init__(
        self,
        picture: Picture,
        queue: Counting,
        seconds: float,
        clock: Clock,
        log: FilteringBoundLogger,
        leave: Callable[[], object],
    ) -> None:
        self._picture, self._queue, self._seconds, self._clock = picture, queue, seconds, clock
        self._log, self._leave = log, leave
        self._empty_since: float | None = None
        self._next = clock.monotonic()
        self._left = False

    async def __call__(self) -> None:
        """Look once, and count where it is time to."""
        living = self._picture.living
        if not living or not all(map(receives_nothing, living)):
            self._empty_since, self._next = None, self._clock.monotonic()
        elif not self._left and self._clock.monotonic() >= self._next:
            self._judge(empty=await self._counts_nothing())

    def _judge(self, *, empty: bool) -> None:
        now = self._clock.monotonic()
        if not empty:
            self._empty_since, self._next = None, now + min(AGAIN, self._seconds)
        elif self._empty_since is None:
            self._empty_since, self._next = now, now + self._seconds
        else:
            self._left = True
            self._log.info("queue_empty", seconds=round(now - self._empty_since), then="the container leaves")
            self._leave()

    async def _counts_nothing(self) -> bool:
        try:
            found = await self._queue.counts()
        except (BotoCoreError, ClientError) as error:
            self._log.warning("not_counted", error=explained(error), meanwhile="the container stays")
            return False
        return found.visible + found.in_flight + found.delayed == 0


def receives_nothing(life: dict[str, Any]) -> bool:
    """Say whether a process has nothing in hand, and has lately received nothing, or is not to. Pure."""
    return not life["in_hand"] and (life["state"] == "quiet" or life["empty_receives"] >= EMPTY)

"""Time that moves only when told to."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count
from typing import TYPE_CHECKING

from consumer.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS = 25  # of the event loop, in which whatever a timer has started comes to rest
EPOCH = 1_700_000_000.0


class FakeTimer:
    """What `FakeClock.call_later` returns."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Do not call back after all."""
        self.callback = None


class FakeClock(Clock):
    """A clock for tests: `await clock.advance(30)` lets 30 seconds pass, timer by timer, in no time.

    The dice give what `dice` says: 0 is always low, 1 always high.
    """

    def __init__(self, dice: float = 0.5) -> None:
        self.dice = dice
        self._now = 1000.0
        self._timers: list[tuple[float, int, FakeTimer]] = []
        self._order = count()

    def monotonic(self) -> float:
        """Give the seconds that have passed, from 1000."""
        return self._now

    def time(self) -> float:
        """Give the wall clock's seconds."""
        return EPOCH + self._now

    def uniform(self, low: float, high: float) -> float:
        """Give a number between low and high, as the dice are set."""
        return low + (high - low) * self.dice

    def block(self, seconds: float) -> None:
        """Let time pass for a plain program."""
        self._now += seconds

    def call_later(self, seconds: float, callback: Callable[[], object]) -> FakeTimer:
        """Call back when so many seconds have been advanced."""
        timer = FakeTimer(callback)
        heapq.heappush(self._timers, (self._now + max(0.0, seconds), next(self._order), timer))
        return timer

    async def advance(self, seconds: float) -> None:
        """Let time pass; every timer that falls due runs at its own moment."""
        await self.rest()
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            due, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, due)
            if timer.callback is not None:
                timer.callback()
                await self.rest()
        self._now = end
        await self.rest()

    async def rest(self) -> None:
        """Let everything that can run without time passing run."""
        for _ in range(TURNS):
            await asyncio.sleep(0)

    def freeze_jump(self, seconds: float) -> None:
        """Let time pass without running any timer, as a process that was stopped and continued sees it."""
        self._now += seconds

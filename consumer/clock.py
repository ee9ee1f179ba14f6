"""The only file that reads time, sleeps or rolls dice; everything else is handed a Clock.

`asyncio` and `random` are imported where they are needed: the health check starts every few seconds and needs neither.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from datetime import tzinfo
    from random import Random

    Dice: TypeAlias = Random


class Timer(Protocol):
    """What `Clock.call_later` returns."""

    def cancel(self) -> None:
        """Do not call back after all."""


class Clock:
    """Real time. Tests pass `consumer.testing.FakeClock`, which moves only when told to."""

    def monotonic(self) -> float:
        """Seconds that never go backwards; for every duration and deadline in a process."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since the epoch; only for what leaves the process."""
        return time.time()

    def now(self, zone: tzinfo = UTC) -> datetime:
        """Give the wall clock in a time zone."""
        return datetime.fromtimestamp(self.time(), zone)

    def uniform(self, low: float, high: float) -> float:
        """Roll the dice: a number between low and high."""
        import random  # noqa: PLC0415 - see above

        return random.uniform(low, high)

    def block(self, seconds: float) -> None:
        """Sleep in a plain thread or program, never on the control loop."""
        time.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call back on the running loop after so many seconds."""
        return _running_loop().call_later(seconds, callback)

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellation ends it."""
        await self.first(seconds=seconds)

    async def first(self, *futures: asyncio.Future[Any], seconds: float | None = None) -> bool:
        """Wait until one of the futures is done or the seconds are over; cancel nothing.

        Returns whether a future is done. Where one is done already, or there are no seconds, others get their turn all
        the same: a loop around this that waits for a future's own callbacks would else never let them run.
        """
        loop = _running_loop()
        woken = loop.create_future()

        def wake(_: object = None) -> None:
            if not woken.done():
                woken.set_result(None)

        timer = None if seconds is None or seconds <= 0 else self.call_later(seconds, wake)
        if timer is None and seconds is not None:
            loop.call_soon(wake)
        for future in futures:
            future.add_done_callback(wake)
        try:
            await woken
        finally:
            if timer is not None:
                timer.cancel()
            for future in futures:
                future.remove_done_callback(wake)
        return any(future.done() for future in futures)


def dice(*seed: object) -> Dice:
    """Give dice that fall the same way whenever they are asked for by the same words, in whatever process."""
    import random  # noqa: PLC0415 - see above

    return random.Random("/".join(map(str, seed)))


def _running_loop() -> asyncio.AbstractEventLoop:
    import asyncio  # noqa: PLC0415 - see above

    return asyncio.get_running_loop()

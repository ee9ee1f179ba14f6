"""What the agent does each second: duties side by side, none of which waits for another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from consumer.errors import described

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from structlog.typing import FilteringBoundLogger

    from consumer.clock import Clock
    from consumer.process.stop import Stop

EVERY = 1.0  # seconds between passes
BOUND = 2.0  # seconds that a duty may take before it is said to be late
LAST = 3.0  # seconds for the last pass, of the 4 that supervisord.conf gives


class Act(Protocol):
    """What a duty does once each second."""

    name: str

    async def __call__(self) -> None:
        """Do it once. What may block has a lane of its own."""


class Duty:
    """One duty's passes: never two at once, and none waits for another duty's."""

    def __init__(self, act: Act, clock: Clock, log: FilteringBoundLogger) -> None:
        self.skipped = 0  # since the pass under way began
        self._act, self._clock, self._log = act, clock, log
        self._pass: asyncio.Task[None] | None = None
        self._began = 0.0
        self._late = False

    def begin(self) -> asyncio.Future[None]:
        """Begin a pass; skip it, and count that, while the last one is still going on."""
        if self._pass is not None and not self._pass.done():
            self.skipped += 1
            self._say_late()
            return self._pass
        if self._late:
            self._log.info("duty_goes_on", duty=self._act.name, skipped=self.skipped)
        self._late, self._began, self.skipped = False, self._clock.monotonic(), 0
        self._pass = asyncio.create_task(self._once(), name=self._act.name)
        return self._pass

    async def last(self) -> None:
        """Let the pass under way end, and make one more."""
        await asyncio.shield(self.begin())
        await self.begin()

    def _say_late(self) -> None:
        seconds = self._clock.monotonic() - self._began
        if seconds >= BOUND and not self._late:  # it is left alone: cut off, it would not know what it has done
            self._late = True
            self._log.warning("duty_late", duty=self._act.name, seconds=round(seconds, 1))

    async def _once(self) -> None:
        try:
            await self._act()
        except Exception as error:  # noqa: BLE001 - a duty that fails has its next pass in a second
            self._log.error("duty_failed", duty=self._act.name, error=described(error), exc_info=error)


class Duties:
    """Has every duty done once a second.

    look: brings up to date what the duties share. flush: writes what log lines are waiting.
    """

    def __init__(
        self,
        acts: Sequence[Act],
        clock: Clock,
        stop: Stop,
        log: FilteringBoundLogger,
        *,
        look: Callable[[], object] = lambda: None,
        flush: Callable[[], object] = lambda: None,
    ) -> None:
        self.every = [Duty(act, clock, log) for act in acts]
        self._look, self._flush = look, flush
        self._clock = clock
        self._stop = stop

    async def run(self) -> None:
        """Go on until told to stop; then make one more pass, since the processes have ended by now."""
        while not self._stop.requested.done():
            self._look()
            for duty in self.every:
                duty.begin()
            self._flush()
            await self._clock.first(self._stop.requested, seconds=EVERY)
        last = asyncio.gather(*(duty.last() for duty in self.every))
        await self._clock.first(last, seconds=LAST)

"""Between messages: the user's reset hooks, garbage, free memory, what is left behind. Only with none in hand."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from consumer.errors import described
from consumer.process import memory
from consumer.process.hooks import RESET
from consumer.process.stop import Leaving

if TYPE_CHECKING:
    from consumer.process.invoke import Invoker
    from consumer.process.leaks import Leaks
    from consumer.process.life import Life

COLLECT_EVERY = 10.0  # seconds
TRIM_EVERY = 25  # messages; one trim takes about a millisecond
QUIET_EVERY = 100  # messages: so many slots are seldom all free by themselves


class Tidy:
    """Leaves nothing of one message to the next."""

    def __init__(self, life: Life, invoker: Invoker, leaks: Leaks) -> None:
        self._settings = life.settings
        self._clock, self._stop, self._log = life.clock, life.stop, life.log
        self._invoker = invoker
        self._leaks = leaks
        self._collected = life.clock.monotonic()
        self._tidied = 0
        self._quiet = 0

    def overdue(self, handled: int) -> bool:
        """Whether to receive nothing until no message is in hand, so that what is left behind can be seen."""
        if self._settings.leaks == "ignore" or handled - max(self._tidied, self._quiet) < QUIET_EVERY:
            return False
        self._quiet = handled  # now, and not once tidied: a slow message that keeps its slot holds up all others once
        return True

    async def between(self, handled: int) -> None:
        """Clean up after the messages handled since the last time, if any."""
        if handled == self._tidied:
            return
        failed = await self._invoker.reset(RESET)
        if failed is None:
            self._stop.tell("an @on_reset hook hangs", Leaving.HUNG)
            self._stop.finish()
            return
        for name, error in failed:
            self._log.error("reset_hook_failed", hook=name, error=described(error), exc_info=error)
        if self._clock.monotonic() - self._collected >= COLLECT_EVERY:
            self._collected = self._clock.monotonic()
            gc.collect()
        if handled // TRIM_EVERY != self._tidied // TRIM_EVERY:
            memory.trim()
        self._tidied = handled
        await self._leaks.look(handled)

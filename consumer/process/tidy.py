"""Between messages: the user's reset hooks, garbage, free memory. Only when no message is in hand."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from consumer.errors import described
from consumer.process import memory
from consumer.process.hooks import RESET
from consumer.process.stop import Leaving

if TYPE_CHECKING:
    from consumer.process.invoke import Invoker
    from consumer.process.life import Life

COLLECT_EVERY = 10.0  # seconds
TRIM_EVERY = 25  # messages; one trim takes about a millisecond


class Tidy:
    """Leaves nothing of one message to the next."""

    def __init__(self, life: Life, invoker: Invoker) -> None:
        self._clock, self._stop, self._log = life.clock, life.stop, life.log
        self._invoker = invoker
        self._collected = life.clock.monotonic()
        self._tidied = 0

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

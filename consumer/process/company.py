"""Which messages of a process run side by side: one that is suspected of killing its process runs alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.clock import Clock


class Company:
    """A gate before the handler. Made on the running loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._running = 0
        self._alone = False
        self._in_line = 0
        self._changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def reserved(self) -> bool:
        """Whether a suspect runs or waits to: no further message is to be taken."""
        return self._alone or self._in_line > 0

    async def enter(self, telling: asyncio.Future[None], *, suspect: bool, waits: Callable[[], object]) -> bool:
        """Wait for a turn; return False when the word to stop comes first. `waits` is called where there is a wait."""
        self._in_line += suspect
        try:
            if not self._has_room(suspect=suspect):
                waits()
                while not self._has_room(suspect=suspect) and not telling.done():
                    await self._clock.first(self._changed, telling)
                if telling.done():  # even if there is room now: a handler that hangs makes room too, and still runs
                    return False
        finally:
            self._in_line -= suspect
            self._change()
        self._running += 1
        self._alone = suspect
        return True

    def leave(self) -> None:
        """Make room for others."""
        self._running -= 1
        self._alone = False  # where it was set, nobody else was here
        self._change()

    def _has_room(self, *, suspect: bool) -> bool:
        if self._alone:
            return False
        return not self._running if suspect else not self._in_line  # newcomers wait, or a suspect never had its turn

    def _change(self) -> None:
        changed, self._changed = self._changed, asyncio.get_running_loop().create_future()
        changed.set_result(None)

"""Removes what the ledger need not remember any more: seldom, and little at a time, or it would hold up the claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.errors import described
from consumer.lane import Lane

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import FilteringBoundLogger

    from consumer.clock import Clock

EVERY = (180.0, 420.0)  # seconds between passes, at random: containers that start together do not prune together
AGAIN = (5.0, 15.0)  # after a whole batch: there is more


class Prune:
    """A duty of the agent; many containers may have it at once.

    prune: removes one batch, and gives how many rows that were and whether there may be more. It has a lane of its own:
    a database that hangs delays no other duty.
    """

    name = "prune"

    def __init__(self, prune: Callable[[], tuple[int, bool]], clock: Clock, log: FilteringBoundLogger) -> None:
        self._prune, self._clock, self._log = prune, clock, log
        self._lane = Lane("prune")
        self._due = clock.monotonic() + clock.uniform(*EVERY)

    async def __call__(self) -> None:
        """Remove a batch, when it is time."""
        if self._clock.monotonic() < self._due:
            return
        more = False
        try:
            rows, more = await self._lane.run(self._prune)
        except OSError as error:
            self._log.warning("not_pruned", error=described(error), meanwhile="what has expired stays for now")
        else:
            if rows:
                self._log.info("pruned", rows=rows)
        self._due = self._clock.monotonic() + self._clock.uniform(*(AGAIN if more else EVERY))

"""Asking the ledger's database, and going on while it is away: nothing that it has is lost by waiting."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

from consumer.lane import Lane
from consumer.message import database
from consumer.message.backoff import Backoff
from consumer.process.patience import Verb
from consumer.process.stop import Leaving

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from sqlalchemy import Engine

    from consumer.process.life import Life

T = TypeVar("T")
LAST_WORDS = 2.0  # seconds for the database once the process must leave; less with a short stop timeout
WAITS = Backoff(0.4, 2.0, 5.0)  # seconds between tries
TROUBLE_MAX = 300  # characters in the sign of life


class Asking:
    """One process's questions, so many of them at once; `away`: whether the last one had no answer."""

    def __init__(self, life: Life, engine: Engine, sessions: Engine, width: int) -> None:
        settings = life.settings
        self.away = False
        self._answered = -math.inf  # when it last had an answer
        self._clock, self._stop, self._pulse, self._log = life.clock, life.stop, life.pulse, life.log
        self._patience = life.patience
        self._engine, self._sessions, self._width = engine, sessions, width
        self._last_words = min(LAST_WORDS, (settings.stop_wait_seconds - settings.drain_seconds) / 4)
        self.lane = Lane("ledger", width)

    async def ask(
        self,
        call: Callable[[], T],
        *,
        seconds: float = math.inf,
        until: asyncio.Future[None] | None = None,
        proves: bool = True,
    ) -> T | None:
        """Ask until there is an answer; None when there was none in so many seconds, or until it must be left.

        proves: whether an answer shows that nothing is refused any more. Raises what the call raises, unless the
        database is the trouble.
        """
        clock, over, tries = self._clock, until or self._stop.over, 0
        end = (began := clock.monotonic()) + seconds
        while True:
            asked, asking = clock.monotonic(), self.lane.run(call)
            await clock.first(asking, over, seconds=end - asked)
            if not asking.done() and over.done():
                await clock.first(asking, seconds=self._last_words)
            if not asking.done():
                asking.cancel()
                self._give_up()
                if seconds < math.inf:
                    self.unanswered(TimeoutError(f"no answer for {seconds:g} s"), began)
                return None
            error = asking.exception()
            if error is None:
                self.answered(proves=proves)
                return asking.result()
            if not isinstance(error, database.TROUBLED):
                raise error
            tries += 1
            self.unanswered(error, asked)
            if self._refused(error):
                return None
            await clock.first(over, seconds=min(WAITS.delay(tries, clock.uniform), end - clock.monotonic()))
            if over.done() or clock.monotonic() >= end:
                return None

    def answered(self, *, proves: bool = True) -> None:
        """Note that the database is there."""
        if proves:
            self._patience.answered(Verb.LEDGER)
        if self.away:
            self._log.info("database_back")
            self._pulse.write(trouble="")
            self._sessions.dispose()  # its idle connections may have died too, and a handler would learn it by failing
        self.away = False
        self._answered = self._clock.monotonic()

    def unanswered(self, error: BaseException, asked: float) -> None:
        """Note that it is not, and why; unless another question has had its answer since this one was asked."""
        if asked < self._answered:
            return
        if not self.away:
            why = database.explained(error)
            self._log.warning("database_away", error=why, meanwhile="no message is received")
            self._pulse.write(trouble=f"the ledger's database is away: {why}"[:TROUBLE_MAX])
        self.away = True

    def _refused(self, error: BaseException) -> bool:
        """Note an error if waiting does not cure it (no right, another table); return whether it is time to leave."""
        if database.away(error):
            return False
        self._patience.note(Verb.LEDGER, f"the ledger's database: {database.explained(error)}")
        if not self._patience.over():
            return False
        self._stop.retire(Leaving.REFUSED, self._patience.why)
        return True

    def _give_up(self) -> None:
        """Leave a call that hangs to itself, with its thread and its connection: others need theirs."""
        self.lane = Lane("ledger", self._width)
        self._engine.dispose(close=False)

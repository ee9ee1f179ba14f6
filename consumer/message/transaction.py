"""What a handler writes into the ledger's database: it is committed with the closing of its message, or not at all."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from consumer.errors import problem
from consumer.message import database
from consumer.message.guard import WATCH, Watch, closing, guard, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

    from consumer.settings import Settings


def sessions(settings: Settings) -> Engine:
    """Make the engine of handlers' sessions in the ledger's database."""
    assert settings.database_url is not None
    return engine(settings.database_url.get_secret_value(), settings.concurrency, settings.time_limit)


def engine(url: str, connections: int, statement_seconds: float = 0) -> Engine:
    """Make an engine of handlers' sessions, on which nobody but the consumer commits. A statement may take so long.

    A session may begin long after the last one: its connection is asked for a sign of life first.
    """
    made = database.engine(url, connections, statement_seconds=statement_seconds, ping=True)
    database.forget_between_uses(made)
    guard(made)
    return made


class HandlerSession(Session):
    """A session whose end is not the handler's to decide."""

    def __init__(self, engine: Engine) -> None:
        self.watch = Watch()
        super().__init__(engine.execution_options(**{WATCH: self.watch}), close_resets_only=False)

    def commit(self) -> NoReturn:
        """Refuse."""
        raise refusal()

    def close(self) -> NoReturn:
        """Refuse: what was written would be lost without a word."""
        raise refusal("a session that stays open", "close()")

    def reset(self) -> NoReturn:
        """Refuse, as close()."""
        raise refusal("a session that stays open", "reset()")

    def __exit__(self, *_: object) -> None:
        """Go on: the end of a `with` block is not the end of the run."""

    def commit_with_message(self) -> None:
        """Commit. For the consumer's own use."""
        token = closing.set(True)
        try:
            super().commit()
        finally:
            closing.reset(token)

    def end(self) -> None:
        """Roll back what is not committed, and give the connection back. For the consumer's own use."""
        try:
            if any(database.broken_off(one) for one in self.watch.in_use):
                self.invalidate()  # its thread may go on with what nobody else may be given then
                return
            self.rollback()  # objects made outside a callback become new again: it may have to write them once more
            super().close()
        except SQLAlchemyError:  # a thread that the handler has left behind is still using it
            self.invalidate()


class Transaction:
    """One delivery's writes. Its connection is made when it is first used.

    committing: a commit has been tried, and may have succeeded though its answer was lost.
    tries: how often the writing has failed as if the database were away.
    lost: what has ended the connection that the handler's own writes were made on.
    over: the run has ended; what comes now is too late.
    said: it has been said that the session was held open for long.
    now: gives seconds that never go backwards.
    """

    def __init__(self, engine: Engine, now: Callable[[], float]) -> None:
        self.opened_by_handler = False
        self.committing = False
        self.tries = 0
        self.lost: BaseException | None = None
        self.over = False
        self.said = False
        self._callbacks: list[Callable[[Session], Any]] = []
        self._engine, self._now = engine, now
        self._session: HandlerSession | None = None
        self._opened = self._longest = 0.0

    @property
    def empty(self) -> bool:
        """Whether there is nothing to commit but the closing itself."""
        return not self.opened_by_handler and not self._callbacks

    def for_handler(self) -> Session:
        """Give the handler its session. Unlike what callbacks write, its writes are lost with its connection."""
        self._must_go_on("session")
        self.opened_by_handler = True
        return self._begun()

    def on_done(self, callback: Callable[[Session], Any]) -> None:
        """Note what is to be called when the handler has returned."""
        self._must_go_on("on_done")
        self._callbacks.append(callback)

    def write(self) -> HandlerSession:
        """Have the callbacks write; give the session, with nothing left to send but the commit.

        Raises what the handler was refused and has swallowed: it may have been undone with the refusal.
        """
        session = self._begun()
        for callback in self._callbacks:
            if inspect.isawaitable(end := callback(session)):
                if inspect.iscoroutine(end):
                    end.close()
                raise TypeError(f"on_done: expected a plain function; got one that returns a {type(end).__name__}")
        session.flush()
        if session.watch.refused is not None:
            raise session.watch.refused
        return session

    @property
    def held(self) -> float:
        """Give the seconds for which a session has been, or was, open."""
        return max(self._longest, self._now() - self._opened if self._session is not None else 0.0)

    def roll_back(self) -> None:
        """Undo whatever was written, and give the connection back."""
        self._longest = self.held
        session, self._session = self._session, None
        if session is not None:
            session.end()

    def unlock(self) -> None:
        """Let go of what the ledger itself needs, though the handler hangs and its thread may be using the session."""
        for connection in self._session.watch.in_use if self._session is not None else ():
            database.unlock(connection)

    def _begun(self) -> HandlerSession:
        if self._session is None:
            self._opened = self._now()
            self._session = HandlerSession(self._engine)
        return self._session

    def _must_go_on(self, name: str) -> None:
        if self.over:
            remedy = "use it in the handler itself, and wait there for the threads that do"
            raise RuntimeError(problem(f"context.{name}", "a run that goes on", "one that has ended", remedy))

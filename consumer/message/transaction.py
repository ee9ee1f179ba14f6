"""What a handler writes into the ledger's database: it is committed with the closing of its message, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy.orm import Session

from consumer.errors import problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine


class HandlerSession(Session):
    """A session whose end is not the handler's to decide."""

    def commit(self) -> NoReturn:
        """Refuse: an effect committed before its message is closed would happen again with the next delivery."""
        remedy = "leave it out: what was written is committed with the message, when the handler has returned"
        raise RuntimeError(problem("context.session", "no commit by the handler", "one", remedy))

    def commit_with_message(self) -> None:
        """Commit. For the consumer's own use."""
        super().commit()


class Transaction:
    """One delivery's writes. Its connection is made when it is first used.

    committing: a commit has been tried, and may have succeeded though its answer was lost.
    said: it has been said that the session was held open for long.
    now: gives seconds that never go backwards.
    lost: what has ended the connection that the handler's own writes were made on.
    """

    def __init__(self, engine: Engine, now: Callable[[], float]) -> None:
        self.callbacks: list[Callable[[Session], Any]] = []
        self.opened_by_handler = False
        self.committing = False
        self.said = False
        self._engine, self._now = engine, now
        self.lost: BaseException | None = None
        self._session: HandlerSession | None = None
        self._opened = self._longest = 0.0

    @property
    def empty(self) -> bool:
        """Whether there is nothing to commit but the closing itself."""
        return not self.opened_by_handler and not self.callbacks

    def for_handler(self) -> Session:
        """Give the handler its session. Unlike what callbacks write, its writes are lost with its connection."""
        self.opened_by_handler = True
        return self.session

    @property
    def session(self) -> HandlerSession:
        """Give the session, made when it is first asked for."""
        if self._session is None:
            self._opened = self._now()
            self._session = HandlerSession(self._engine)
        return self._session

    @property
    def held(self) -> float:
        """Give the seconds for which a session has been, or was, open."""
        return max(self._longest, self._now() - self._opened if self._session is not None else 0.0)

    def roll_back(self) -> None:
        """Undo whatever was written, and give the connection back."""
        self._longest = self.held
        session, self._session = self._session, None
        if session is not None:
            session.close()

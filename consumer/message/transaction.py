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
    lost: what has ended the connection that the handler's own writes were made on.
    """

    def __init__(self, engine: Engine) -> None:
        self.callbacks: list[Callable[[Session], Any]] = []
        self.opened_by_handler = False
        self.committing = False
        self.lost: BaseException | None = None
        self._engine = engine
        self._session: HandlerSession | None = None

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
            self._session = HandlerSession(self._engine)
        return self._session

    def roll_back(self) -> None:
        """Undo whatever was written, and give the connection back."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

"""The ledger's rows of dead letters, opened again before these are sent: under whatever id they come back, they run."""

from __future__ import annotations

from functools import cached_property
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from consumer.errors import LedgerError
from consumer.message import database, schema
from consumer.message.ledger import Ledger


class Reopening:
    """Opens rows of one queue's ledger, where there is one. It connects at the first use.

    One that is opened and whose letter is not sent after all does no harm: it waits for the letter, as it did before.
    Raises SettingsError where the database's URL is wrong.
    """

    def __init__(self, queue_url: str, database_url: str) -> None:
        self._queue = queue_url
        self._engine = database.engine(database_url, connections=1) if database_url else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._engine is not None:
            self._engine.dispose()

    def one(self, key: str) -> None:
        """Open the row with this key, if it is dead. Raises LedgerError when the ledger does not answer."""
        if self._engine is not None and key:
            self._reopen(key)

    def all(self) -> None:
        """Open all rows that are dead: the server's own move tells of no letter. Raises LedgerError as above."""
        if self._engine is not None:
            self._reopen("")

    def _reopen(self, key: str) -> None:
        try:
            self._ledger.reopen(key)
        except (SQLAlchemyError, OSError) as error:
            got = database.explained(error)
            raise LedgerError(f"the ledger: expected an answer of its database; got {got}") from error

    @cached_property
    def _ledger(self) -> Ledger:
        assert self._engine is not None
        schema.migrate(self._engine)
        return Ledger(self._engine, self._queue, retention=0)

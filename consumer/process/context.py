"""What a handler is told besides the message. Standard library only, since users import it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.errors import problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from consumer.message.transaction import Transaction


class Context:
    """One delivery, as its handler sees it. Safe to use from any thread.

    attempt: the number of this run, from 1.
    log: a structlog logger bound to the message.
    """

    def __init__(
        self,
        attempt: int,
        log: Any,  # noqa: ANN401 - a structlog logger
        remaining: Callable[[], float],
        progress: Callable[[float], object] = lambda _: None,
        written: Transaction | None = None,
    ) -> None:
        self.attempt = attempt
        self.log = log
        self._remaining = remaining
        self._progress = progress
        self._written = written
        self._stopping = False

    def remaining(self) -> float:
        """Give the seconds until this delivery must end: the nearest of time limit, stop budget and lease."""
        return max(0.0, self._remaining())

    @property
    def stopping(self) -> bool:
        """Whether to come to an end: the process was told to stop, the time limit has passed, or the lease is lost."""
        return self._stopping

    def progress(self, fraction: float) -> None:
        """Say how far the work is, from 0 to 1; `consumer status --json` shows it."""
        self._progress(min(1.0, max(0.0, float(fraction))))  # a Decimal would have no place in the sign of life

    @property
    def session(self) -> Session:
        """A SQLAlchemy session on the ledger's database: what is written there is committed with the message, once.

        Its connection is taken at the first use and kept until the handler has returned: after a long wait, `on_done`
        is the better form. Raises LookupError without a ledger.
        """
        return self._ledgered("session").for_handler()

    def on_done(self, function: Callable[[Session], object]) -> None:
        """Have `function(session)` called after the handler, in the transaction that closes the message.

        It may be called again when the database was away: it should do nothing but write there. Raises LookupError
        without a ledger.
        """
        self._ledgered("on_done").on_done(function)

    def _ledgered(self, name: str) -> Transaction:
        if self._written is None:
            raise LookupError(problem(f"context.{name}", "a ledger", "none", "set CONSUMER_DATABASE_URL"))
        return self._written

    def tell(self) -> None:
        """Note that the handler is to come to an end. For the consumer's own use."""
        self._stopping = True

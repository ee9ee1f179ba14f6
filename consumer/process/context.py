"""What a handler is told besides the message. Standard library only, since users import it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


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
    ) -> None:
        self.attempt = attempt
        self.log = log
        self._remaining = remaining
        self._progress = progress
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

    def tell(self) -> None:
        """Note that the handler is to come to an end. For the consumer's own use."""
        self._stopping = True

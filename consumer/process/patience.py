"""What to do about an error of the queue: wait, or, when waiting does not cure it, leave after a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.message.trouble import Trouble, trouble

if TYPE_CHECKING:
    from consumer.clock import Clock

FIRST, LONGEST = 0.5, 30.0  # seconds


class Patience:
    """Counts errors in a row; an answer of the queue resets it."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._errors = 0
        self._refused_since: float | None = None

    def answered(self) -> None:
        """Note that the queue answers."""
        self._errors, self._refused_since = 0, None

    def failed(self, error: BaseException) -> float | None:
        """Give the seconds to wait before the next try, or None when it is time to leave.

        Raises the error when it is none of the queue's.
        """
        kind = trouble(error)
        if kind is Trouble.FAULT:
            raise error
        now = self._clock.monotonic()
        self._errors += 1
        if kind is Trouble.AWAY:
            self._refused_since = None
        elif self._refused_since is None:
            self._refused_since = now
        elif now - self._refused_since >= self._seconds:
            return None
        longest = min(LONGEST, FIRST * 2.0 ** min(self._errors, 16))
        wait = self._clock.uniform(longest / 2, longest)
        if self._refused_since is not None:
            wait = min(wait, self._refused_since + self._seconds - now)
        return max(wait, 0.05)

"""What to do about an error of the queue or the ledger: wait, or, where waiting does not cure it, leave in the end."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from consumer.message.trouble import Trouble, explained, trouble

if TYPE_CHECKING:
    from consumer.clock import Clock

FIRST, LONGEST = 0.5, 30.0  # seconds


class Verb(Enum):
    """What is asked for, each by a right of its own: a role that may receive may not be allowed to delete."""

    RECEIVE = "receive"
    RENEW = "renew"
    SETTLE = "settle"
    LEDGER = "ledger"


class Patience:
    """Counts errors in a row; an answer of the queue to the same verb resets it."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._errors = 0
        self._refused_since: dict[Verb, float] = {}
        self.why = ""

    def answered(self, verb: Verb) -> None:
        """Note that what was asked for was done."""
        self._refused_since.pop(verb, None)
        if verb is Verb.RECEIVE:
            self._errors = 0

    def refused(self, verb: Verb, error: BaseException) -> bool:
        """Note an error; return whether the queue will not do this at all, so that waiting does not cure it."""
        if trouble(error) is not Trouble.REFUSED:
            return False
        self.note(verb, explained(error))
        return True

    def note(self, verb: Verb, why: str) -> None:
        """Note that a verb was refused, and why."""
        self._refused_since.setdefault(verb, self._clock.monotonic())
        self.why = why

    def over(self) -> bool:
        """Whether it is time to leave: a verb has been refused for so long, and not been answered since."""
        return any(self._clock.monotonic() - since >= self._seconds for since in self._refused_since.values())

    def failed(self, error: BaseException) -> float | None:
        """Give the seconds to wait before the next receive, or None when it is time to leave.

        Raises the error when it is none of the queue's.
        """
        kind = trouble(error)
        if kind is Trouble.FAULT:
            raise error
        self._errors += 1
        if kind is Trouble.AWAY:
            self._refused_since.pop(Verb.RECEIVE, None)
        else:
            self.note(Verb.RECEIVE, explained(error))
        if self.over():
            return None
        longest = min(LONGEST, FIRST * 2.0 ** min(self._errors, 16))
        wait = self._clock.uniform(longest / 2, longest)
        if since := self._refused_since.get(Verb.RECEIVE):
            wait = min(wait, since + self._seconds - self._clock.monotonic())
        return max(wait, 0.05)

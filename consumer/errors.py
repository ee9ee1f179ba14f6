"""Every exception of ours.

ConsumerError
+-- SettingsError   wrong settings: exit code 64
+-- HandlerError    the handler cannot be found or loaded: exit code 70
+-- LedgerError     the ledger's database is not one that this version can use: exit code 64
+-- NotWritten      what a handler wrote cannot be committed, and why (its cause): the run has failed
+-- TemplateError   the fleet's template, or what is put into it, cannot be read: exit code 64
+-- PlanError       the prices or the measured figures of a plan cannot be read: exit code 64
+-- ImpossibleError no fleet does what is wanted: exit code 1
+-- Retry           raised by a handler: come back later; not a failure
+-- Reject          raised by a handler: never again, to the dead-letter queue
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

INTERRUPTED = 128 + signal.SIGINT  # exit code after Ctrl-C, as shells report it


class ConsumerError(Exception):
    """Base of every exception that this package raises."""


class SettingsError(ConsumerError):
    """A setting or a combination of settings is wrong; one problem a line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class HandlerError(ConsumerError):
    """The handler cannot be found, loaded or called."""


class LedgerError(ConsumerError):
    """The ledger's database is not one that this version can use."""


class NotWritten(ConsumerError):  # noqa: N818 - no error by itself: its cause is the handler's
    """What a handler wrote cannot be committed, for its cause's sake: the run has failed."""


class TemplateError(ConsumerError):
    """The fleet's template, one of its parameters or one of its expressions is wrong."""


class PlanError(ConsumerError):
    """The prices or the measured figures that a plan stands on cannot be read."""


class ImpossibleError(ConsumerError):
    """No fleet does what is wanted; the text says why."""


class Retry(ConsumerError):  # noqa: N818 - users raise it as a request, and its name says which
    """Raise it in a handler to have the message again later; it does not count as a failure.

    after: seconds until the message is visible again, 0 to 43,200 (SQS: 12 h from receipt).
    """

    after: float = 0.0  # of a user's own subclass that leaves out super().__init__()

    def __init__(self, after: float = 0, reason: str = "") -> None:
        if not after >= 0:  # NaN, too
            raise ValueError(f"Retry(after=...): expected seconds of 0 or more, got {after!r}")
        super().__init__(reason or f"retry after {after:g} s")
        self.after = after


class Reject(ConsumerError):  # noqa: N818 - as above
    """Raise it in a handler to send the message to the dead-letter queue at once.

    reason: why no further attempt can succeed; it travels with the message.
    """

    reason: str = "rejected"

    def __init__(self, reason: str = "rejected") -> None:
        super().__init__(reason)
        self.reason = str(reason)  # `raise Reject(error)` is a likely slip, and must not end the process


def text_of(error: BaseException) -> str:
    """Put an exception into words, a user's own too, whose `__str__` may raise."""
    try:
        return str(error)
    except BaseException as slip:  # noqa: BLE001 - a slip in a message's text must not end the process
        return f"(no text: its __str__ raised {type(slip).__name__})"


def described(error: BaseException) -> str:
    """Name an exception's type and give its text."""
    return f"{type(error).__qualname__}: {text_of(error)}"


def problem(names: str, expected: str, got: str, remedy: str) -> str:
    """Say what is wrong with what somebody gave us, and what to do about it."""
    return f"{names}: expected {expected}; got {got}. To do: {remedy}."


def advised(said: str, remedy: str) -> str:
    """Give a sentence of somebody else's, and after it what to do, where that is known."""
    return f"{said.rstrip('. ')}. To do: {remedy}." if remedy else said


def respelled(word: str, known: Iterable[str]) -> str:
    """Say what to do about a word that is not known."""
    from difflib import get_close_matches  # noqa: PLC0415 - the health check starts every few seconds, without it

    near = get_close_matches(word, known, n=1)
    return f"write {near[0]}" if near else "leave it out"

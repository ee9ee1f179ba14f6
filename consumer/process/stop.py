"""A signal becomes one flag and one deadline, nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
from enum import Enum
from typing import TYPE_CHECKING

from consumer.errors import INTERRUPTED
from consumer.process import forking

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.clock import Clock

BLOCKED = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD, signal.SIGTSTP}
"""Signals that a forked process holds back until its own handlers stand: before that they would meet supervisord's."""


class Leaving(Enum):
    """Why a process leaves; the value is its exit code."""

    STOPPED = 0
    LIMIT = 10
    LIFETIME = 11
    MEMORY = 12
    FAILURES = 13
    LEAKS = 14
    HUNG = 20
    BROKEN = 21
    SETTINGS = 64
    HANDLER = 70
    REFUSED = 75

    @property
    def worn_out(self) -> bool:
        """Whether it is the end of a life that has reached one of its limits, or whose handler leaves things behind."""
        return Leaving.LIMIT.value <= self.value <= Leaving.LEAKS.value

    @property
    def foreseen(self) -> bool:
        """Whether a process that works as it should may leave so: it says nothing against the container."""
        return self.value < Leaving.BROKEN.value

    @property
    def abnormal(self) -> bool:
        """Whether somebody should look: at the handler, where that hangs, though a successor will do better."""
        return self.value >= Leaving.HUNG.value


OVERRIDING = (Leaving.HUNG, Leaving.BROKEN)  # graver than any reason to retire that came before


class Stop:
    """Whether, why and until when this process is ending. Made on the running loop.

    requested: done when no further message is to be taken.
    telling: done when the handlers have been told to come to an end.
    over: done when no more waiting is allowed, and what is in hand must be settled now.
    quiet: whether SIGTSTP has come: no message is to be taken for the rest of this life, though it does not end.
    """

    def __init__(self, clock: Clock, drain_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self.requested: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()
        self.leaving = Leaving.STOPPED
        self.detail = ""
        self.telling: asyncio.Future[None] = loop.create_future()
        self.on_told: list[Callable[[], None]] = []
        self.quiet = False
        self._deadline = float("inf")
        self._clock = clock
        self._drain = drain_seconds

    def listen(self) -> None:
        """Take over the process's signals; unblock those that were held back across the fork."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.tell, "SIGTERM")
        loop.add_signal_handler(signal.SIGINT, self._interrupted)
        loop.add_signal_handler(signal.SIGTSTP, self._quieten)  # which would else stop the process, leases and all
        forking.keep_signals_apart()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)

    def retire(self, leaving: Leaving, detail: str = "") -> None:
        """Take no more messages; let what is in hand come to its own end."""
        if not self.requested.done() or leaving in OVERRIDING:
            self.leaving, self.detail = leaving, detail
        if not self.requested.done():
            self.requested.set_result(None)

    def tell(self, detail: str, leaving: Leaving = Leaving.STOPPED) -> None:
        """Take no more messages, and give the handlers the drain's seconds to end."""
        self.retire(leaving, detail)
        if self.told:
            return
        self.telling.set_result(None)
        self._deadline = self._clock.monotonic() + self._drain
        self._clock.call_later(self._drain, self.finish)
        for callback in self.on_told:
            callback()

    @property
    def told(self) -> bool:
        """Whether the handlers have been told to come to an end, which merely retiring does not ask of them."""
        return self.telling.done()

    def finish(self) -> None:
        """Wait for nothing any more."""
        if not self.over.done():
            self.over.set_result(None)

    def left(self) -> float:
        """Give the seconds until `over`; endless while nobody has been told."""
        return self._deadline - self._clock.monotonic()

    def _quieten(self) -> None:
        self.quiet = True

    def _interrupted(self) -> None:
        if self.told:
            os._exit(INTERRUPTED)
        self.tell("SIGINT")

"""A handler may fork (multiprocessing): its children die of their own signals, and pass none on to our loop."""

from __future__ import annotations

import os
import signal
import threading
from functools import cache

LOOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGTSTP)  # heard by handlers and a pipe that a child inherits

_masks = threading.local()


@cache  # hooks at a fork cannot be taken back: once is enough
def keep_signals_apart() -> None:
    """Have every child of this process forget the loop's signal handlers.

    Signals are held back across the fork: one that reached the child before its hook would be written to our pipe.
    """
    os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_forget)


def _hold() -> None:
    _masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, LOOP_SIGNALS)


def _release() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.before)


def _forget() -> None:
    signal.set_wakeup_fd(-1)
    for number in LOOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    _release()

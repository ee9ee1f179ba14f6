"""PID 1 hears its signals from its first moment on, before it has loaded anything that could act on them."""

from __future__ import annotations

import os
import signal

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def leave_when_told() -> None:
    """Leave at once when told to stop before there is anything to stop.

    The kernel ignores signals for which PID 1 has no handler: the container would start in spite of its SIGTERM, and
    be killed with messages in hand.
    """
    for number in STOPPING:
        signal.signal(number, lambda *_: os._exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)

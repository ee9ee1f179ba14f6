"""Ends supervisord's poll as soon as a signal arrives.

Python repeats an interrupted poll (PEP 475), so that supervisord by itself sees a signal, or a child's end, only at its
next tick of one second. A byte in a socket that it polls anyway makes it look at once.
"""

from __future__ import annotations

import signal
import socket
from contextlib import suppress

from supervisor.medusa import asyncore_25 as asyncore


class Waker:
    """A pair of sockets: the signal machinery writes into one, supervisord polls the other."""

    def __init__(self) -> None:
        self._heard, self._told = socket.socketpair()
        self._heard.settimeout(0)
        self._told.settimeout(0)  # a full buffer must not block the interpreter's signal handler
        asyncore.socket_map[self._heard.fileno()] = self

    def listen(self) -> None:
        """Have every signal of this process wake the poll; wake it once, since there are processes to start."""
        signal.set_wakeup_fd(self._told.fileno(), warn_on_full_buffer=False)
        self._told.send(b"\0")

    def readable(self) -> bool:
        """Tell supervisord to poll for reading, always."""
        return True

    def writable(self) -> bool:
        """Tell supervisord not to poll for writing."""
        return False

    def handle_read_event(self) -> None:
        """Take the bytes away; what they announce is found by the loop itself."""
        with suppress(BlockingIOError):
            while self._heard.recv(4096):
                pass

    def handle_error(self) -> None:
        """Let supervisord go on: without a waker it is slower, not wrong."""

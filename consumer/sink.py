"""A writer for the container's stdout that never blocks: a stalled log driver costs lines, never leases or signals."""

from __future__ import annotations

import os
import select
import socket
import stat
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PIPE_ATOMIC = 4096  # Linux: a write of at most PIPE_BUF bytes to a pipe is never torn by another process's (pipe(7))
BUFFER = 1024 * 1024


def writer(fd: int) -> Callable[[bytes], int]:
    """Give a function that writes to what a descriptor points at and raises BlockingIOError instead of waiting.

    O_NONBLOCK is never set on the descriptor itself: the flag belongs to the open file description, which is shared
    with every process that inherited it and with whoever started us.
    """
    mode = os.fstat(fd).st_mode
    if stat.S_ISSOCK(mode):
        connection = socket.socket(fileno=os.dup(fd))
        return lambda data: connection.send(data, socket.MSG_DONTWAIT)
    if stat.S_ISREG(mode):
        return partial(os.write, fd)
    try:
        own = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_APPEND | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        # Another user's pipe: ask first, which leaves a race for a pipe's last free page, and no better way.
        return partial(_write_if_room, fd)
    return partial(os.write, own)


def _write_if_room(fd: int, data: bytes) -> int:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    if not poll.poll(0):
        raise BlockingIOError
    return os.write(fd, data[:PIPE_ATOMIC])


class Sink:
    """Writes lines at once where there is room, keeps up to 1 MiB where there is none, drops and counts the rest."""

    def __init__(self, fd: int, dropped_line: Callable[[int], bytes] | None = None) -> None:
        self.dropped = 0
        self._write = writer(fd)
        self._dropped_line = dropped_line
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._flushing = False
        self._lock = threading.RLock()  # a finalizer may log while its own thread is writing

    def write(self, line: bytes) -> None:
        """Write one line, its newline included; at most 4096 bytes of it are sure to stay together."""
        size = len(line)
        with self._lock:
            if self._size + size > BUFFER:
                self._flush()
            if self._size + size > BUFFER:
                self.dropped += 1
                return
            self._waiting.append(line)
            self._size += size
            self._flush()

    def flush(self) -> bool:
        """Write what has been waiting, as far as there is room; return whether nothing is left."""
        with self._lock:
            return self._flush()

    def _flush(self) -> bool:
        if self._flushing:
            return False
        self._flushing = True
        try:
            while self._waiting and self._write_one(self._waiting[0]):
                pass
        finally:
            self._flushing = False
        return not self._waiting

    def _write_one(self, line: bytes) -> bool:
        """Write a line, or what there is room for of it; return whether there may be room for more."""
        gone = False
        try:
            sent = self._write(line)
        except BlockingIOError:
            return False
        except OSError:  # a closed pipe: nobody will ever read it, nor a notice about it
            sent = len(line)
            self.dropped += 1
            gone = True
        self._size -= sent
        if sent < len(line):
            self._waiting[0] = line[sent:]
            return True
        self._waiting.popleft()
        if self.dropped and not self._waiting and not gone and self._dropped_line:
            notice, self.dropped = self._dropped_line(self.dropped), 0
            self._waiting.append(notice)
            self._size += len(notice)
        return True

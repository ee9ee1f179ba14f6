"""PID 1's way to the container's stdout and stderr, which never waits for a reader.

Stock supervisord freezes in write(2) once nobody reads its output, be it at a line of its own or at a stray print:
it reaps nothing, answers nobody and never hears SIGTERM. Here a line that finds no room is kept, then dropped.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any

from supervisor import loggers

from consumer.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.clock import Clock
    from consumer.container.journal import Journal

STREAMS = {1: "stdout", 2: "stderr"}
NAMES = {
    f"{folder}{name}": fd
    for fd, stream in STREAMS.items()
    for folder, name in (("/dev/fd/", fd), ("/proc/self/fd/", fd), ("/dev/", stream))
}
LAST_WORDS = 1.0  # seconds that PID 1 gives a slow reader when it leaves


class Outlet(io.RawIOBase):
    """What descriptor 1 or 2 points at, as a binary stream that never blocks."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._sink = Sink(fd, lambda lines: f"{lines} lines were dropped here: nobody was reading\n".encode())
        self._write: Callable[[bytes], object] = self._sink.write

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - any buffer at all
        """Write at once, later, or never."""
        whole = bytes(data)
        self._write(whole)
        return len(whole)

    def writable(self) -> bool:
        """Answer the io module."""
        return True

    def fileno(self) -> int:
        """Give the descriptor; supervisord knows by it never to close this stream."""
        return self._fd

    def isatty(self) -> bool:
        """Say whether a person is watching."""
        return os.isatty(self._fd)

    def close(self) -> None:
        """Stay open: whoever replaces sys.stdout while preloading must not take PID 1's log away."""

    def retry(self) -> bool:
        """Write what has been waiting, as far as there is room; return whether nothing is left."""
        return self._sink.flush()

    def hand_over(self) -> None:
        """In a forked child: lead to the child's own stream, whichever that is at the time of writing.

        Loggers made while preloading hold on to this object, and PID 1's descriptor behind it is closed in the child:
        its number will belong to a connection.
        """
        self._write = self._follow

    def _follow(self, data: bytes) -> None:
        stream = getattr(sys, STREAMS[self._fd])
        stream.write(data.decode(errors="backslashreplace"))
        stream.flush()


class Stdout:
    """Both outlets, put in the place of everything through which supervisord writes to them."""

    def __init__(self) -> None:
        self._outlets = {fd: Outlet(fd) for fd in STREAMS}
        for fd, name in STREAMS.items():
            setattr(sys, name, _text(self._outlets[fd]))

    def write(self, line: bytes) -> None:
        """Write a line to the container's stdout."""
        self._outlets[1].write(line)

    def retry(self) -> bool:
        """Write what has been waiting; return whether nothing is left."""
        left = [outlet for outlet in self._outlets.values() if not outlet.retry()]
        return not left

    def last_words(self, clock: Clock) -> None:
        """Give a slow reader a moment, so that the reason for leaving is not lost; a stalled one gets no more."""
        give_up = clock.monotonic() + LAST_WORDS
        while not self.retry() and clock.monotonic() < give_up:
            clock.block(0.02)

    def hand_over(self) -> None:
        """In a forked child: give it streams of its own, and have those captured while preloading lead to them."""
        for fd, outlet in self._outlets.items():
            setattr(sys, STREAMS[fd], _text(open(fd, "wb", buffering=0, closefd=False)))  # noqa: SIM115
            outlet.hand_over()

    def take_over_logs(self, journal: Journal) -> None:
        """Have supervisord's log, and what it copies from its children's pipes, go through the outlets."""
        to_file = loggers.handle_file

        def handle_file(logger: Any, filename: str, fmt: str, **options: Any) -> None:  # noqa: ANN401 - supervisor's own
            fd = NAMES.get(filename)
            if fd is None:
                to_file(logger, filename, fmt, **options)
                return
            handler = loggers.StreamHandler(self._outlets[fd]) if fmt == "%(message)s" else journal.handler()
            handler.setFormat(fmt)
            handler.setLevel(logger.level)
            logger.addHandler(handler)

        def handle_stdout(logger: Any, fmt: str) -> None:  # noqa: ANN401 - supervisor's own
            handle_file(logger, "/dev/stdout", fmt)

        loggers.handle_file, loggers.handle_stdout = handle_file, handle_stdout


def _text(stream: io.RawIOBase | io.FileIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[arg-type]

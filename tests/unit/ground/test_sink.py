"""The writer that never waits, on real pipes, sockets and files."""

from __future__ import annotations

import fcntl
import inspect
import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from consumer.sink import BUFFER, Sink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = 4096


class Pipe:
    """A pipe that holds one page."""

    def __init__(self) -> None:
        self.out, self.fd = os.pipe()
        fcntl.fcntl(self.fd, fcntl.F_SETPIPE_SZ, PAGE)

    def read(self) -> bytes:
        return os.read(self.out, 10 * BUFFER)

    def drain(self, sink: Sink) -> bytes:
        """Read as a log driver does that has come back, until all is written."""
        got = self.read()
        while not sink.flush():
            got += self.read()
        return got + self.read()

    def close(self) -> None:
        for fd in (self.out, self.fd):
            try:
                os.close(fd)
            except OSError:
                continue


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def test_a_line_is_written_at_once_where_there_is_room(pipe: Pipe) -> None:
    Sink(pipe.fd).write(b"a line\n")
    assert pipe.read() == b"a line\n"


def test_a_full_pipe_makes_nobody_wait_and_keeps_lines_and_their_order(pipe: Pipe) -> None:
    sink = Sink(pipe.fd)
    lines = [f"{number:07}\n".encode() * 100 for number in range(200)]
    for line in lines:
        sink.write(line)
    assert not sink.flush()
    assert pipe.drain(sink) == b"".join(lines)
    assert sink.dropped == 0


def test_the_pipe_itself_is_not_made_non_blocking_for_whoever_shares_it(pipe: Pipe) -> None:
    Sink(pipe.fd).write(b"x\n")
    assert os.get_blocking(pipe.fd)


def test_beyond_a_mebibyte_lines_are_dropped_counted_and_told_of_once(pipe: Pipe) -> None:
    sink = Sink(pipe.fd, lambda count: f"{count} dropped\n".encode())
    line = b"x" * 1023 + b"\n"
    for _ in range(1100):
        sink.write(line)
    lost = sink.dropped
    assert 70 <= lost <= 76  # 1 MiB in memory, and what the pipe holds
    sink.write(line)
    assert sink.dropped == lost + 1
    got = pipe.drain(sink)
    assert got == line * (1100 - lost) + f"{lost + 1} dropped\n".encode()
    assert sink.dropped == 0
    sink.write(b"after\n")
    assert pipe.read() == b"after\n"


def test_a_line_is_never_torn_by_another_process_s(pipe: Pipe) -> None:
    os.write(pipe.fd, b"y" * (PAGE - 10))
    sink = Sink(pipe.fd)
    sink.write(b"a line that is longer than ten bytes\n")
    assert set(pipe.read()) == {ord("y")}
    assert sink.flush()
    assert pipe.read() == b"a line that is longer than ten bytes\n"


def test_a_line_longer_than_the_pipe_arrives_in_order_with_what_follows(pipe: Pipe) -> None:
    sink = Sink(pipe.fd)
    sink.write(b"a" * 3 * PAGE + b"\n")
    sink.write(b"b\n")
    assert pipe.drain(sink) == b"a" * 3 * PAGE + b"\nb\n"


def test_a_pipe_that_nobody_reads_any_more_costs_lines_and_never_a_process(pipe: Pipe) -> None:
    sink = Sink(pipe.fd, lambda count: f"{count} dropped\n".encode())
    os.close(pipe.out)
    for _ in range(3):
        sink.write(b"x\n")
    assert sink.flush()
    assert sink.dropped == 3


def test_a_pipe_of_another_user_is_asked_first_and_never_waited_for(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        sink = Sink(pipe.fd)
    sink.write(b"a" * 3 * PAGE + b"\n")
    sink.write(b"b\n")
    assert pipe.drain(sink) == b"a" * 3 * PAGE + b"\nb\n"


def test_a_socket_makes_nobody_wait_either() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sink = Sink(ours.fileno())
        lines = [f"{number:07}\n".encode() * 100 for number in range(1000)]
        for line in lines:
            sink.write(line)
        assert not sink.flush()
        got = b""
        while not sink.flush():
            got += theirs.recv(BUFFER)
        theirs.settimeout(0)
        while len(got) < 800_000:
            got += theirs.recv(BUFFER)
        assert got == b"".join(lines)
        assert ours.getblocking()
        inspect.getclosurevars(sink._write).nonlocals["connection"].close()


def test_a_file_is_written_to(tmp_path: Path) -> None:
    with (tmp_path / "log").open("ab") as file:
        sink = Sink(file.fileno())
        sink.write(b"a\n")
        sink.write(b"b\n")
    assert (tmp_path / "log").read_bytes() == b"a\nb\n"


def test_a_finalizer_that_logs_in_the_middle_of_a_write_neither_waits_nor_tears(pipe: Pipe) -> None:
    sink = Sink(pipe.fd)
    write, nested = sink._write, [b"from a finalizer\n"]

    def interrupted(data: bytes) -> int:
        if nested:
            sink.write(nested.pop())
        return write(data)

    sink._write = interrupted
    thread = threading.Thread(target=sink.write, args=(b"a line\n",), daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
    assert pipe.read() == b"a line\nfrom a finalizer\n"


def test_threads_do_not_mix_their_lines(pipe: Pipe) -> None:
    sink = Sink(pipe.fd)

    def write(line: bytes) -> None:
        for _ in range(500):
            sink.write(line)

    threads = [threading.Thread(target=write, args=(mark * 50 + b"\n",)) for mark in (b"a", b"b", b"c", b"d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    got = pipe.drain(sink).splitlines()
    assert len(got) == 2000
    assert {line[:1] * 50 for line in got} == set(got)

"""The proxy does what its moods say: else a chaos run would prove nothing."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from chaos.proxy import HALF_OPEN, HOST, SLOW, Mood, Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody"


class Echo(threading.Thread):
    """A server that gives back what it gets, and remembers it."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.heard = b""
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # it is reset now and then
            while data := connection.recv(1000):
                self.heard += data
                connection.sendall(data)


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    server.start()
    yield server
    server.listener.shutdown(socket.SHUT_RDWR)
    server.listener.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    made = Proxy(partial(asyncio.open_connection, HOST, echo.port))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    """A connection through the proxy over which something has passed."""
    with socket.create_connection((HOST, proxy.port), timeout=10) as connection:
        assert asked(connection, b"hello") == b"hello"
        yield connection


def asked(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    return connection.recv(1000)


def silent(connection: socket.socket) -> bool:
    connection.settimeout(0.3)
    try:
        connection.recv(1000)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(10)
    return False


def test_a_reset_ends_every_connection_and_refuses_new_ones(proxy: Proxy, client: socket.socket) -> None:
    proxy.begin(Mood.RESET)
    with pytest.raises(ConnectionResetError):
        client.recv(1000)
    with pytest.raises(OSError), socket.create_connection((HOST, proxy.port), timeout=10) as another:  # noqa: PT011 - any
        assert asked(another, b"more") == b"more"
    assert proxy.end() >= 2
    with socket.create_connection((HOST, proxy.port), timeout=10) as later:
        assert asked(later, b"again") == b"again"


def test_what_is_stalled_arrives_when_it_is_over(proxy: Proxy, client: socket.socket) -> None:
    proxy.begin(Mood.STALL)
    client.sendall(b"later")
    assert silent(client)
    assert proxy.end() == 1
    assert client.recv(1000) == b"later"


def test_slow_is_slow(proxy: Proxy, client: socket.socket) -> None:
    proxy.begin(Mood.SLOW)
    began = time.monotonic()
    assert asked(client, b"slow") == b"slow"
    assert time.monotonic() - began >= 2 * SLOW


@pytest.mark.parametrize(("mood", "reached"), [(Mood.DEAF, False), (Mood.MUTE, True)])
def test_a_half_open_connection_swallows_requests_or_answers_for_good_and_stays(
    proxy: Proxy, client: socket.socket, echo: Echo, mood: Mood, *, reached: bool
) -> None:
    proxy.begin(mood)
    client.sendall(b"swallowed")
    assert silent(client)
    assert (b"swallowed" in echo.heard) == reached
    assert proxy.end() == 1
    client.sendall(b"more")
    assert silent(client), "it stays half open"
    proxy.reset_dead()
    with pytest.raises(ConnectionResetError):
        client.recv(1000)


def test_only_so_many_connections_become_half_open(proxy: Proxy) -> None:
    some = [socket.create_connection((HOST, proxy.port), timeout=10) for _ in range(HALF_OPEN + 1)]
    assert all(asked(one, b"hello") == b"hello" for one in some)
    proxy.begin(Mood.MUTE)
    for one in some[:HALF_OPEN]:
        one.sendall(b"swallowed")
        assert silent(one)
    assert asked(some[-1], b"more") == b"more"
    for one in some:
        one.close()


@pytest.mark.parametrize(
    ("mood", "status", "code"), [(Mood.UNAVAILABLE, b"503", b"Unavailable"), (Mood.THROTTLE, b"400", b"Throttling")]
)
@pytest.mark.parametrize("cut", [len(REQUEST), 20, len(REQUEST) - 2])
def test_a_request_is_answered_in_the_server_s_place_however_it_comes_in(
    proxy: Proxy, client: socket.socket, echo: Echo, mood: Mood, status: bytes, code: bytes, cut: int
) -> None:
    proxy.begin(mood)
    client.sendall(REQUEST[:cut])
    time.sleep(0.05)
    client.sendall(REQUEST[cut:])
    answer = client.recv(1000)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert code in answer
    assert proxy.end() == 1
    assert b"POST" not in echo.heard
    assert asked(client, b"the same connection") == b"the same connection"

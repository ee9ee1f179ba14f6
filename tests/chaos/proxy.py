"""A TCP proxy that misbehaves on demand, in front of the queue's server and of the database.

Small and our own: what there is for Python drives toxiproxy, a program in Go that knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    Upstream = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]

T = TypeVar("T")
HOST = "127.0.0.1"
CHUNK = 65_536
SLOW = 0.15  # seconds for each piece
HALF_OPEN = 2  # connections at most that one mood leaves half open: each costs its owner a whole time-out
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: the peer gets a reset instead of an orderly end
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Mood(Enum):
    """What the proxy does to what passes through it."""

    PASS = "pass"
    RESET = "reset"  # every connection is reset, those that exist and new ones
    STALL = "stall"  # nothing moves; it all arrives when the mood is over
    SLOW = "slow"
    DEAF = "deaf"  # requests vanish and the connection stays: half open
    MUTE = "mute"  # the server has done it, its answer vanishes, and the connection stays: half open
    UNAVAILABLE = "unavailable"  # HTTP: 503 in the server's place
    THROTTLE = "throttle"  # HTTP: ThrottlingException in the server's place


def _answer(status: str, code: str, text: str) -> bytes:
    body = f'{{"__type":"com.amazonaws.sqs#{code}","message":"{text}"}}'.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


ANSWERS = {
    Mood.UNAVAILABLE: _answer("503 Service Unavailable", "ServiceUnavailable", "chaos"),
    Mood.THROTTLE: _answer("400 Bad Request", "ThrottlingException", "Rate exceeded"),
}


class Link:
    """A connection of a client's, and the one to the server that belongs to it."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client, self.server = client, server
        self.dead = False

    def reset(self) -> None:
        _reset(self.client)
        _reset(self.server)


class Proxy:
    """Runs on a loop of its own in a thread of its own. `hits` counts what the present mood has met."""

    def __init__(self, upstream: Upstream) -> None:
        self.mood = Mood.PASS
        self.hits = 0
        self.port = 0
        self._upstream = upstream
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._on_loop(self._listen())

    def stop(self) -> None:
        self._on_loop(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def begin(self, mood: Mood) -> None:
        """Change the mood for everything from here on."""
        self._on_loop(self._change(mood))

    def end(self) -> int:
        """Let everything pass again; tell how many pieces, requests or connections have met the mood."""
        self._on_loop(self._change(Mood.PASS))
        return self.hits

    def reset_dead(self) -> None:
        """Reset what is half open, as time-outs of the kernel do in the end."""
        self._on_loop(self._reset_links(only_dead=True))

    def _on_loop(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self) -> None:
        self._calm = asyncio.Event()
        self._calm.set()
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def _close(self) -> None:
        self._server.close()
        await self._reset_links()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _change(self, mood: Mood) -> None:
        self.mood = mood
        if mood is not Mood.PASS:
            self.hits = 0
        if mood is Mood.STALL:
            self._calm.clear()
        else:
            self._calm.set()
        if mood is Mood.RESET:
            await self._reset_links()

    async def _reset_links(self, *, only_dead: bool = False) -> None:
        for link in [one for one in self._links if one.dead or not only_dead]:
            self.hits += not only_dead
            link.reset()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self.mood is Mood.RESET:
                self.hits += 1
                return
            with suppress(OSError, asyncio.CancelledError):
                await self._connect(reader, writer)
        finally:
            self._tasks.discard(task)
            _reset(writer)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, server = await self._upstream()
        link = Link(writer, server)
        self._links.add(link)
        ways = [
            asyncio.ensure_future(self._requests(link, reader)), asyncio.ensure_future(self._answers(link, answers)),
        ]  # fmt: skip
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._links.discard(link)
            _close(link)

    async def _requests(self, link: Link, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(CHUNK):
            await self._held_up()
            if self.mood in ANSWERS and data.startswith(b"POST "):
                self.hits += 1
                await _rest_of_request(data, reader)
                link.client.write(ANSWERS[self.mood])
                continue
            self._lose(link, Mood.DEAF)
            if not link.dead:
                link.server.write(data)

    async def _answers(self, link: Link, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(CHUNK):
            await self._held_up()
            self._lose(link, Mood.MUTE)
            if not link.dead:
                link.client.write(data)

    async def _held_up(self) -> None:
        self.hits += self.mood in (Mood.STALL, Mood.SLOW)
        if self.mood is Mood.SLOW:
            await asyncio.sleep(SLOW)
        await self._calm.wait()

    def _lose(self, link: Link, mood: Mood) -> None:
        """From the first piece that is lost nothing more gets through: what follows would make no sense."""
        if self.mood is mood and not link.dead and self.hits < HALF_OPEN:
            self.hits += 1
            link.dead = True


async def _rest_of_request(data: bytes, reader: asyncio.StreamReader) -> None:
    while b"\r\n\r\n" not in data:
        data += await reader.readuntil(b"\r\n\r\n")
    head, _, body = data.partition(b"\r\n\r\n")
    found = LENGTH.search(head)
    await reader.readexactly(int(found[1]) - len(body) if found else 0)


def _close(link: Link) -> None:
    for writer in (link.client, link.server):
        writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection without a word, unless it has ended already."""
    if not writer.is_closing():
        with suppress(OSError):
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        writer.transport.abort()

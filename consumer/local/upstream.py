"""The slow service that the demo's handler waits for: real HTTP on this machine, in a thread of its own.

An order says how it will fare: `seconds` of work (30 to 300, here 100 times as fast), `unavailable`: how many calls are
answered 503 before one succeeds, `unknown`: answered 422 each time.
"""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from consumer.errors import ConsumerError
from consumer.local.accounts import Accounts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.clock import Clock

HOST = "127.0.0.1"
SPEED = 100  # the demo's times are those of real life, divided by this
REFUSAL = 10.0  # seconds of real life until the service says no
BACKLOG = 1024  # hundreds may connect at once
OK = 200
PHRASES = {OK: "OK", 400: "Bad Request", 422: "Unprocessable Content", 503: "Service Unavailable"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service will say to one call, and after how many seconds."""

    status: int
    seconds: float
    body: dict[str, Any]


def answer(order: dict[str, Any], call: int) -> Answer:
    """Decide the answer to an order's call of this number, counted from 1. Pure."""
    order_id = order.get("order_id")
    if not isinstance(order_id, str):
        return Answer(400, 0, {"error": "expected an order with an order_id"})
    if order.get("unknown"):
        return Answer(422, REFUSAL / SPEED, {"error": f"{order.get('customer')} has no report {order.get('report')!r}"})
    if call <= order.get("unavailable", 0):
        return Answer(503, REFUSAL / SPEED, {"error": "too busy, try again later"})
    return Answer(OK, order.get("seconds", 30) / SPEED, {"order_id": order_id, "rows": 1000 + len(order_id)})


class Upstream:
    """The service. Each waiting call costs a coroutine and a socket, so hundreds of them are cheap."""

    def __init__(self, clock: Clock) -> None:
        self.accounts = Accounts()
        self.port = 0
        self._clock = clock
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()

    @property
    def url(self) -> str:
        """Where the service listens."""
        return f"http://{HOST}:{self.port}"

    def run(self) -> None:
        """Serve until told to stop; the body of the service's thread."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._serve())
            finally:
                self._ready.set()  # with port 0 when it could not listen

    def start(self) -> None:
        """Serve in a thread. Raises ConsumerError when no port can be had."""
        threading.Thread(target=self.run, name="upstream", daemon=True).start()
        self._ready.wait()
        if not self.port:
            raise ConsumerError(f"expected a free port on {HOST} for the slow service, got none. To do: free some.")

    def stop(self) -> None:
        """Stop serving; calls in hand are cut off."""
        with suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._over.set)

    async def _serve(self) -> None:
        try:
            server = await asyncio.start_server(self._call, HOST, 0, backlog=BACKLOG)
        except OSError:
            return
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            reply = await self._work(await _order(reader), reader)
            if reply is not None:
                _write(writer, reply)
                await writer.drain()
        except (OSError, EOFError, asyncio.LimitOverrunError, ValueError, TypeError):
            _write(writer, Answer(400, 0, {"error": "expected a POST of one order as JSON"}))
        finally:
            writer.close()

    async def _work(self, order: dict[str, Any], reader: asyncio.StreamReader) -> Answer | None:
        """Work on an order for as long as it says; None when the caller has left meanwhile."""
        account = self.accounts.of(str(order.get("order_id")))
        account.calls += 1
        reply = answer(order, account.calls)
        left: asyncio.Future[Any] = asyncio.ensure_future(reader.read(1))
        try:
            if await self._clock.first(left, seconds=reply.seconds):
                return None  # a caller that waits says nothing; this one has hung up
        finally:
            left.cancel()
        account.seconds += reply.seconds
        account.completed += reply.status == OK
        return reply


async def _order(reader: asyncio.StreamReader) -> dict[str, Any]:
    """Read a request: its headers for the length, its body for the order. Raises ValueError when it is none."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = next((line for line in head.split("\r\n") if line.startswith("content-length:")), "content-length:0")
    order = json.loads(await reader.readexactly(int(length.partition(":")[2])))
    if not isinstance(order, dict):
        raise TypeError
    return order


def _write(writer: asyncio.StreamWriter, reply: Answer) -> None:
    body = json.dumps(reply.body).encode()
    head = f"HTTP/1.1 {reply.status} {PHRASES[reply.status]}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)


@contextmanager
def serving(clock: Clock) -> Iterator[Upstream]:
    """Run the service while the block runs."""
    upstream = Upstream(clock)
    upstream.start()
    try:
        yield upstream
    finally:
        upstream.stop()

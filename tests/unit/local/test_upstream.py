from __future__ import annotations

import asyncio
import json
from typing import Any

from consumer.local.upstream import Upstream, answer
from consumer.testing import FakeClock

ORDER = {"order_id": "a", "seconds": 120}


def test_an_order_takes_a_hundredth_of_its_seconds() -> None:
    assert (answer(ORDER, 1).status, answer(ORDER, 1).seconds) == (200, 1.2)


def test_a_busy_service_says_so_as_often_as_the_order_says() -> None:
    order = {**ORDER, "unavailable": 2}
    assert [answer(order, call).status for call in (1, 2, 3)] == [503, 503, 200]


def test_an_unknown_report_is_refused_every_time() -> None:
    order = {**ORDER, "unknown": True}
    assert [answer(order, call).status for call in (1, 2, 9)] == [422, 422, 422]


def test_what_is_no_order_is_refused_at_once() -> None:
    assert (answer({"seconds": 3}, 1).status, answer({"seconds": 3}, 1).seconds) == (400, 0)


async def call(upstream: Upstream, order: object) -> tuple[int, dict[str, Any]]:
    """Make one call over real sockets, and let its time pass."""
    server = await asyncio.start_server(upstream._call, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    body = json.dumps(order).encode()
    writer.write(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    reading = asyncio.ensure_future(reader.read())
    clock = upstream._clock
    assert isinstance(clock, FakeClock)
    for _ in range(20):
        await asyncio.sleep(0.001)  # the sockets' own time, which no fake clock moves
        await clock.advance(0.5)
    head, _, text = (await reading).partition(b"\r\n\r\n")
    writer.close()
    server.close()
    return int(head.split()[1]), json.loads(text)


async def test_the_accounts_count_what_was_answered() -> None:
    upstream = Upstream(FakeClock())
    assert (await call(upstream, {**ORDER, "unavailable": 1}))[0] == 503
    assert (await call(upstream, {**ORDER, "unavailable": 1}))[0] == 200
    account = upstream.accounts.of("a")
    assert (account.calls, account.completed, round(account.seconds, 3)) == (2, 1, 1.3)
    upstream._loop.close()


async def test_a_caller_that_leaves_gets_no_report() -> None:
    upstream = Upstream(FakeClock())
    reader = asyncio.StreamReader()
    working = asyncio.ensure_future(upstream._work(ORDER, reader))
    await asyncio.sleep(0)
    assert upstream.accounts.of("a").calls == 1
    reader.feed_eof()
    assert await working is None
    assert (upstream.accounts.of("a").completed, upstream.accounts.seconds()) == (0, 0)
    upstream._loop.close()


async def test_nonsense_is_answered_and_harms_nobody() -> None:
    upstream = Upstream(FakeClock())
    assert (await call(upstream, ["not an order"]))[0] == 400
    assert (await call(upstream, ORDER))[0] == 200
    upstream._loop.close()

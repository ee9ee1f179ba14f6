"""What a handler leaves checked out of SQLAlchemy's pools: named once, rolled back each time."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import Session

from consumer.clock import Clock
from consumer.lane import Lane
from consumer.message import database
from consumer.process import connections
from consumer.process.connections import Connections
from consumer.process.leaks import Leaks
from consumer.process.memory import Memory
from unit.doubles import living

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from sqlalchemy import Connection, Engine


class Watch:
    """A life that listens, and a handler's thread to take connections in."""

    def __init__(self, engine: Engine, url: str) -> None:
        self.engine, self.url = engine, url
        self.connections = Connections(Clock())
        self.handler = Lane("handler")
        self.kept: list[Any] = []

    async def work(self, call: Callable[[], object]) -> None:
        await self.handler.run(call)

    def insert(self) -> Connection:
        taken = self.engine.connect()
        taken.execute(text("INSERT INTO t VALUES (1)"))
        return taken

    def leave(self) -> None:
        self.kept.append(self.insert())

    def rows(self) -> int:
        with self.engine.connect() as connection:
            return int(connection.scalar(text("SELECT count(*) FROM t")) or 0)


@pytest.fixture
async def watch(tmp_path: Path) -> AsyncIterator[Watch]:
    url = f"sqlite:///{tmp_path / 'app.db'}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
    made = Watch(engine, url)
    yield made
    for one in made.kept:
        one.close()
    engine.dispose()
    for name in ("checkout", "checkin", "detach"):
        method = made.connections._taken if name == "checkout" else made.connections._returned
        event.remove(sys.modules["sqlalchemy.pool"].Pool, name, method)


async def test_an_open_transaction_is_named_by_the_line_that_began_it_and_rolled_back(watch: Watch) -> None:
    await watch.work(watch.leave)
    found = await watch.connections.look()
    assert found is not None
    assert (found.kind, found.put_back) == ("connections", True)
    assert found.what.startswith("sqlite3 taken at ")
    assert f"{__file__}:" in found.what
    await watch.work(watch.kept[0].commit)
    assert watch.rows() == 0, "its commit comes too late"


async def test_it_is_named_once_and_rolled_back_each_time(watch: Watch) -> None:
    for number in range(3):
        await watch.work(watch.leave)
        assert (await watch.connections.look() is not None) == (number == 0)
        assert not any(one.connection.dbapi_connection.in_transaction for one in watch.kept)


async def test_what_is_given_back_is_none_of_our_business(watch: Watch) -> None:
    def tidy() -> None:
        watch.insert().close()
        with Session(watch.engine) as session:
            session.execute(text("INSERT INTO t VALUES (1)"))
            session.commit()

    await watch.work(tidy)
    assert await watch.connections.look() is None
    assert watch.rows() == 1


async def test_what_only_a_traceback_still_holds_goes_back_by_itself(watch: Watch) -> None:
    def fail() -> None:
        taken = watch.insert()
        watch.cycle = [taken]  # type: ignore[attr-defined]
        watch.cycle.append(watch.cycle)  # type: ignore[attr-defined]
        del watch.cycle  # type: ignore[attr-defined]

    await watch.work(fail)
    assert await watch.connections.look() is None


async def test_connections_of_other_threads_and_of_the_ledger_are_left_alone(watch: Watch) -> None:
    """They may be at work."""
    thread = threading.Thread(target=watch.leave)
    thread.start()
    thread.join()
    ledger = database.engine(watch.url.replace("app", "ledger"), 1)
    held: list[Any] = []
    await watch.work(lambda: held.append(ledger.connect()))
    assert await watch.connections.look() is None
    held[0].close()
    ledger.dispose()
    watch.kept[0].commit()
    assert watch.rows() == 1


async def test_a_rollback_that_hangs_is_not_waited_for(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(connections, "SLOW", 0.05)
    monkeypatch.setattr(connections, "_roll_back", lambda _: over.wait(30))
    await watch.work(watch.leave)
    found = await watch.connections.look()
    assert found is not None
    assert not found.put_back
    over.set()


@pytest.mark.parametrize(("setting", "said"), [("warn", 1), ("ignore", 0)])
async def test_with_ignore_nothing_is_said_and_it_is_rolled_back_all_the_same(
    watch: Watch, setting: str, said: int
) -> None:
    life = living(Clock(), leaks=setting)
    leaks = Leaks(life, lambda: Memory(1, 1, 1))
    leaks._connections = watch.connections
    await watch.work(watch.leave)
    await asyncio.wait_for(leaks.look(1), 10)
    lines = [line for line in life.lines.named("left_behind") if line["kind"] == "connections"]
    assert [line["put_back"] for line in lines] == [True] * said
    await watch.work(watch.kept[0].commit)
    assert watch.rows() == 0


def test_sqlalchemy_is_listened_to_where_it_is_loaded_and_never_loaded_for_that() -> None:
    program = """
import asyncio, sys
from consumer.clock import Clock
from consumer.process import leaks
from consumer.process.connections import Connections
watched = Connections(Clock())
assert "sqlalchemy" not in sys.modules
import sqlalchemy
asyncio.run(watched.look())
assert watched._listening
"""
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "PYTHONPATH": ":".join(sys.path)})

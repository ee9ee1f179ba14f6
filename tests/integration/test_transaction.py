"""What a handler may do with its session, and what not, on both databases."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, String, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from consumer.message import database, transaction
from consumer.message.transaction import Transaction
from support import databases
from support.programs import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session


COUNTING = "SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 60"


class Base(DeclarativeBase):
    pass


class Effect(Base):
    __tablename__ = "effects"
    id: Mapped[str] = mapped_column(String(10), primary_key=True)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    plain = database.engine(database_url, 1)
    with plain.begin() as connection:
        Base.metadata.create_all(connection)
    plain.dispose()
    made = transaction.engine(database_url, 2)
    yield made
    made.dispose()


@pytest.fixture
def written(engine: Engine) -> Iterator[Transaction]:
    made = Transaction(engine, time.monotonic)
    yield made
    made.roll_back()


def effects(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(text("SELECT id FROM effects ORDER BY id")))


def commit(written: Transaction) -> None:
    written.write().commit_with_message()
    written.roll_back()


def by_block(session: Session) -> None:
    with session.begin():
        session.add(Effect(id="a"))


def by_connection(session: Session) -> None:
    session.add(Effect(id="a"))
    session.flush()
    session.connection().commit()


def by_itself(session: Session) -> None:
    session.add(Effect(id="a"))
    session.commit()


def by_sql(session: Session) -> None:
    session.execute(text("INSERT INTO effects (id) VALUES ('a')"))
    session.execute(text("COMMIT"))


def by_autocommit(session: Session) -> None:
    session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
    session.execute(text("INSERT INTO effects (id) VALUES ('a')"))


def by_a_connection_of_its_own(session: Session) -> None:
    engine = session.get_bind()
    assert isinstance(engine, Engine)
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.execute(text("INSERT INTO effects (id) VALUES ('a')"))


@pytest.mark.parametrize("way", [by_block, by_connection, by_itself, by_sql, by_autocommit, by_a_connection_of_its_own])
def test_whatever_way_a_handler_commits_is_refused_and_says_what_to_do(
    engine: Engine, written: Transaction, way: Any
) -> None:
    with pytest.raises(RuntimeError, match=r"expected no commit by the handler; got one\. To do: leave it out"):
        way(written.for_handler())
    written.roll_back()
    assert effects(engine) == []


def test_a_with_block_does_not_end_the_session_and_close_is_refused(engine: Engine, written: Transaction) -> None:
    with written.for_handler() as session:
        session.add(Effect(id="a"))
    with pytest.raises(RuntimeError, match="expected a session that stays open"):
        session.close()
    commit(written)
    assert effects(engine) == ["a"]


def test_a_refused_commit_that_the_handler_swallows_is_not_a_run_that_is_done(written: Transaction) -> None:
    """What was written in the block is rolled back: the message must not be closed without it."""
    with contextlib.suppress(Exception):
        by_block(written.for_handler())
    with pytest.raises(RuntimeError, match="no commit by the handler"):
        written.write()


def test_reset_is_refused_as_close_is(written: Transaction) -> None:
    session = written.for_handler()
    session.add(Effect(id="a"))
    session.flush()
    with pytest.raises(RuntimeError, match="expected a session that stays open"):
        session.reset()


@pytest.mark.parametrize(
    ("leaves", "look"),
    [
        ("SET SESSION statement_timeout = 123", "SELECT current_setting('statement_timeout') <> '123ms'"),
        ("SELECT pg_advisory_lock(7)", "SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'"),
        ("CREATE TEMP TABLE other (id TEXT)", "SELECT to_regclass('pg_temp.other') IS NULL"),
    ],
)
def test_what_a_handler_sets_on_its_connection_does_not_reach_the_next_message(
    postgresql: str, leaves: str, look: str
) -> None:
    engine = transaction.engine(databases.on_postgresql(postgresql), 1)
    first = Transaction(engine, time.monotonic)
    first.for_handler().execute(text(leaves))
    commit(first)
    second = Transaction(engine, time.monotonic)
    found = second.for_handler().scalar(text(look))
    second.roll_back()
    engine.dispose()
    assert found


def test_an_object_made_outside_its_callback_is_written_however_often_it_takes(
    engine: Engine, written: Transaction
) -> None:
    made = Effect(id="a")
    written.on_done(lambda session: session.add(made))
    written.write()
    written.roll_back()  # the connection broke off here
    commit(written)
    assert effects(engine) == ["a"]


def test_a_callback_that_nobody_awaits_is_an_error(written: Transaction) -> None:
    async def write(_: Session) -> None: ...

    written.on_done(write)
    with pytest.raises(TypeError, match="expected a plain function; got one that returns a coroutine"):
        written.write()


def test_a_run_that_has_ended_writes_no_more(written: Transaction) -> None:
    written.on_done(lambda _: written.on_done(print))
    written.over = True
    with pytest.raises(RuntimeError, match="expected a run that goes on; got one that has ended"):
        written.write()
    with pytest.raises(RuntimeError, match=r"context\.session"):
        written.for_handler()


def test_a_session_that_was_kept_takes_no_connection_when_its_run_has_ended(
    engine: Engine, written: Transaction
) -> None:
    kept = written.for_handler()
    kept.execute(text("SELECT 1"))
    written.roll_back()
    with pytest.raises(Exception, match="closed"):
        kept.execute(text("SELECT 1"))
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_a_thread_that_is_left_behind_in_the_session_does_not_keep_the_run_from_ending(
    engine: Engine, written: Transaction
) -> None:
    """On PostgreSQL what it has under way is broken off; on SQLite a rollback waits for that."""
    session, begun, broken_off = written.for_handler(), Event(), engine.dialect.name == "postgresql"
    driver_s: Any = session.connection().connection.dbapi_connection
    slow = "SELECT pg_sleep(60)"
    if not broken_off:
        slow = f"WITH RECURSIVE c(n) AS ({COUNTING}) SELECT count(*) FROM c, c, c, c"
        driver_s.set_progress_handler(begun.set, 100_000)
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(session.execute, text(slow))
        wait_until(
            lambda: driver_s.info.transaction_status.name == "ACTIVE" if broken_off else begun.is_set(),
            "it is under way",
        )
        written.roll_back()
        error = busy.exception()
    assert isinstance(error, DBAPIError) == broken_off
    assert effects(engine) == []

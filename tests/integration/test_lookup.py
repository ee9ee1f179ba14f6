"""`consumer.lookup` in a web application that outlives its database's restarts, and has fewer rights."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from consumer.message import database, lookup, schema
from consumer.message.ledger import Ledger
from support import databases

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DROPPED = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture
def url(postgresql: str) -> Iterator[str]:
    made = databases.on_postgresql(postgresql)
    engine = database.engine(made, 1)
    schema.migrate(engine)
    engine.dispose()
    yield made
    lookup._opened(os.getpid(), made, "orders")[0].dispose()


def state(url: str) -> str:
    return lookup.lookup("m1", queue="orders", database_url=url).state


def test_the_first_question_after_a_restart_of_the_database_is_answered(url: str) -> None:
    assert state(url) == "unknown"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(DROPPED)
    assert state(url) == "unknown"


def test_a_user_who_may_only_read_learns_what_has_become_of_a_message(url: str) -> None:
    """As web applications are given: SELECT, and default_transaction_read_only."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS web")
        connection.execute("CREATE ROLE web LOGIN")
        connection.execute("ALTER ROLE web SET default_transaction_read_only = on")
        connection.execute("GRANT SELECT ON consumer_ledger TO web")
    try:
        assert state(url.replace("//postgres", "//web")) == "unknown"
    finally:
        lookup._opened(os.getpid(), url.replace("//postgres", "//web"), "orders")[0].dispose()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("REVOKE ALL ON consumer_ledger FROM web")
            connection.execute("DROP ROLE web")


def test_on_sqlite_a_question_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    url = databases.on_sqlite(tmp_path)
    engine = database.engine(url, 1)
    schema.migrate(engine)
    with engine.begin() as writer:
        writer.exec_driver_sql("SELECT 1")  # BEGIN IMMEDIATE: as long as a handler has context.session
        assert state(url) == "unknown"
    engine.dispose()


def test_a_question_makes_no_database(tmp_path: Path) -> None:
    """A path that is wrong by a letter would be answered `unknown` for ever."""
    url = databases.on_sqlite(tmp_path)
    with pytest.raises(OperationalError, match="unable to open database file"):
        state(url)
    assert not (tmp_path / "ledger.db").exists()


def test_many_threads_have_their_answers_while_others_claim(database_url: str) -> None:
    engine = database.engine(database_url, 4)
    schema.migrate(engine)
    ledger = Ledger(engine, "orders", 1000)

    def ask(number: int) -> str:
        return lookup.lookup(f"m{number % 10}", queue="orders", database_url=database_url).state

    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(ask, number) for number in range(200)]
        claims = [ledger.claim(f"m{number}", f"m{number}", "digest", 90, "me") for number in range(10)]
        assert {one.result() for one in asked} <= {"unknown", "running"}
        assert set(pool.map(ask, range(10))) == {"running"}
    assert len(claims) == 10
    engine.dispose()
    lookup._opened(os.getpid(), database_url, "orders")[0].dispose()

"""`consumer.lookup` as a web application meets it: before there is a ledger, and forked from where it was imported."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from consumer.message import database, lookup
from consumer.message.schema import migrate

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database in which the application has made its own tables, perhaps."""
    (tmp_path / "ledger.db").touch()
    return f"sqlite:///{tmp_path}/ledger.db"


def state(url: str) -> str:
    return lookup.lookup("m1", queue="orders", database_url=url).state


def test_before_a_consumer_has_made_the_table_nothing_is_known_and_afterwards_it_is_asked(url: str) -> None:
    assert state(url) == "unknown"
    made = database.engine(url, 1)
    migrate(made)
    with made.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE consumer_ledger RENAME COLUMN state TO other")
    made.dispose()
    with pytest.raises(OperationalError, match="no such column"):
        state(url)


@pytest.mark.parametrize("path", ["nowhere/ledger.db", "legder.db", "a%20b?c.db"])
def test_a_database_that_is_away_is_an_error_and_not_an_unknown_key(tmp_path: Path, path: str) -> None:
    with pytest.raises(OperationalError, match="unable to open database file"):
        state(f"sqlite:///{tmp_path}/{path}")
    assert not list(tmp_path.iterdir()), "a question makes no database"


def test_a_forked_process_connects_by_itself(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[int] = []
    real = database.engine

    def watched(*given: Any, **more: Any) -> Engine:
        made = real(*given, **more)
        event.listen(made, "connect", lambda *_: connected.append(os.getpid()))
        return made

    monkeypatch.setattr(database, "engine", watched)
    state(url)
    state(url)
    ours = os.getpid()
    assert connected == [ours]
    monkeypatch.setattr(os, "getpid", lambda: ours + 1)
    state(url)
    assert connected == [ours, ours + 1]


def test_many_threads_that_ask_first_at_once_share_two_connections(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[object] = []
    together = Barrier(16)
    real = database.engine

    def watched(*given: Any, **more: Any) -> Engine:
        made = real(*given, **more)
        event.listen(made, "connect", lambda *_: connected.append(made))
        together.wait(20)  # each has found that there is none yet
        return made

    monkeypatch.setattr(database, "engine", watched)
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda _: state(url), range(160))) == {"unknown"}
    assert 1 <= len(connected) <= lookup.CONNECTIONS
    assert len(set(connected)) == 1

"""Which errors waiting may cure, and how a connection is made."""

from __future__ import annotations

import sqlite3
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from consumer.errors import SettingsError
from consumer.message import database

if TYPE_CHECKING:
    from sqlalchemy import Engine

URL = "postgresql://u:p@db/orders"


def of_postgresql(kind: type[DBAPIError], state: str | None) -> DBAPIError:
    original = psycopg.Error("as it says")
    original.sqlstate = state
    return kind("SELECT 1", {}, original)


def of_sqlite(code: int, text: str) -> OperationalError:
    original = sqlite3.OperationalError(text)
    original.sqlite_errorcode = code
    return OperationalError("SELECT 1", {}, original)


@pytest.mark.parametrize(
    "error",
    [
        *(of_postgresql(OperationalError, state) for state in (None, "08006", "57P01", "57014", "53300", "55P03")),
        *(of_postgresql(DBAPIError, state) for state in ("40001", "40P01", "25006")),
        of_sqlite(sqlite3.SQLITE_BUSY, "database is locked"),
        of_sqlite(sqlite3.SQLITE_FULL, "database or disk is full"),
        PoolTimeoutError("no connection"),
    ],
)
def test_trouble_of_the_database_s_own_may_pass(error: BaseException) -> None:
    assert database.away(error)


@pytest.mark.parametrize(
    "error",
    [
        of_postgresql(ProgrammingError, "42P01"),
        of_postgresql(OperationalError, "54000"),
        of_postgresql(ProgrammingError, None),
        of_sqlite(sqlite3.SQLITE_ERROR, "no such column: full_name"),
        ConnectionError("an outside API is down"),
    ],
)
def test_a_wrong_statement_and_what_a_callback_raises_stay_as_they_are(error: BaseException) -> None:
    assert not database.away(error)


@pytest.mark.parametrize(
    ("url", "driver"), [("sqlite+aiosqlite:///l.db", "pysqlite"), ("postgresql+asyncpg://u:p@h/l", "psycopg")]
)
def test_whatever_driver_an_application_s_url_names_the_ledger_takes_its_own(url: str, driver: str) -> None:
    assert database.engine(url, 1).driver == driver


@pytest.mark.parametrize("url", ["mysql://u:secret@db/orders", "sqlite://", "orders", ""])
def test_what_is_no_database_of_ours_is_not_connected_to(url: str) -> None:
    """`mysql://` would be connected to as PostgreSQL."""
    with pytest.raises(SettingsError, match="CONSUMER_DATABASE_URL: expected ") as caught:
        database.engine(url, 1)
    assert "secret" not in str(caught.value)


class Diagnosed(psycopg.Error):
    """An error with a statement's place in its text, and with a field for the message alone."""

    @property
    def diag(self) -> Any:
        return SimpleNamespace(message_primary=self.primary)

    primary: str | None = None


def said_by_postgresql(text: str, primary: str | None) -> DBAPIError:
    original = Diagnosed(text)
    original.primary = primary
    return OperationalError("INSERT INTO orders VALUES (1)", {}, original)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (said_by_postgresql("connection refused\n\tIs the server running?\n", None),
         "Diagnosed: connection refused Is the server running?"),
        (said_by_postgresql('no column "x"\nLINE 1: SELECT x\n               ^', 'no column "x"'),
         'Diagnosed: no column "x"'),
        (PoolTimeoutError("no connection for 10 s", code="3o7r"), "TimeoutError: no connection for 10 s"),
        (of_sqlite(sqlite3.SQLITE_BUSY, "database is locked"), "OperationalError: database is locked"),
        (ConnectionResetError("by peer"), "ConnectionResetError: by peer"),
    ],
)  # fmt: skip
def test_an_error_is_said_in_one_line_without_statement_and_link(error: BaseException, text: str) -> None:
    assert database.explained(error) == text


class Server:
    """Takes the place of psycopg.connect; may refuse options, as proxies do."""

    def __init__(self, refuses: str = "") -> None:
        self.given: list[dict[str, Any]] = []
        self._refuses = refuses

    def __call__(self, *_: object, **given: Any) -> None:
        self.given.append(given)
        if self._refuses and "options" in given:
            raise psycopg.OperationalError(self._refuses)
        raise psycopg.OperationalError("connection refused")


def connected(server: Server, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psycopg, "connect", server)
    monkeypatch.setattr(psycopg.Connection, "connect", server)
    engine: Engine = database.engine(url, 1)
    with pytest.raises(OperationalError):
        engine.connect()


def test_the_url_s_own_options_come_last_and_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    connected(server, f"{URL}?options=-csearch_path%3Dapp&target_session_attrs=any", monkeypatch)
    (given,) = server.given
    assert given["options"].startswith("-c statement_timeout=10000 ")
    assert given["options"].endswith(" -csearch_path=app"), "PostgreSQL takes the last of two"
    assert (given["target_session_attrs"], given["prepare_threshold"]) == ("any", None)


@pytest.mark.parametrize(
    "text",
    [
        "FATAL: Feature not supported: RDS Proxy currently doesn't support command-line options.",
        "FATAL: unsupported startup parameter in options: statement_timeout",
    ],
)
def test_a_proxy_that_takes_no_options_is_asked_without(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(text)
    connected(server, URL, monkeypatch)
    assert ["options" in given for given in server.given] == [True, False]

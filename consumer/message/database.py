"""Connections to the ledger's database: short ones, which notice a peer that is gone, and never wait for long."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

if TYPE_CHECKING:
    from sqlalchemy.pool import ConnectionPoolEntry

    from consumer.settings import Settings

CONNECT = 5  # seconds
STATEMENT = 10  # seconds for one of the ledger's own; the handler's may take longer
KEEPALIVES = {  # libpq: a peer that is gone without a word is noticed within 10 s of silence to what was sent
    "connect_timeout": CONNECT, "keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10,
    "keepalives_count": 3, "tcp_user_timeout": 10_000, "application_name": "consumer",
}  # fmt: skip
TROUBLED = (DBAPIError, PoolTimeoutError, OSError)
SQLITE_WAITS = ("locked", "busy", "unable to open", "disk I/O", "full")


def engine(url: str, connections: int, *, statement_seconds: float = STATEMENT) -> Engine:
    """Make an engine; it connects when it is first used. A statement may take so long, 0 being without end.

    No ping before each use: it would cost a round trip each time, and the ledger's statements may be said again.
    """
    target = make_url(url)
    options: dict[str, Any] = {"pool_size": connections, "max_overflow": 0, "pool_timeout": STATEMENT}
    if target.get_backend_name() == "sqlite":
        made = create_engine(target, **options, connect_args={"timeout": CONNECT, "check_same_thread": False})
        event.listen(made, "connect", _mark)
        event.listen(made, "connect", _configure)
        event.listen(made, "begin", _begin)
        return made
    limit = {"options": f"-c statement_timeout={statement_seconds * 1000:.0f}"}
    made = create_engine(target.set(drivername="postgresql+psycopg"), **options, connect_args=KEEPALIVES | limit)
    event.listen(made, "connect", _mark)
    return made


def of(settings: Settings, connections: int, *, statement_seconds: float = STATEMENT) -> Engine:
    """Make an engine for the ledger's database."""
    assert settings.database_url is not None
    return engine(settings.database_url.get_secret_value(), connections, statement_seconds=statement_seconds)


def away(error: BaseException) -> bool:
    """Whether the database is the trouble and not the statement, so that waiting may cure it."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, TROUBLED)
    if isinstance(error.orig, sqlite3.Error):  # it says "no such table" by the same class
        return any(word in str(error.orig) for word in SQLITE_WAITS)
    return error.connection_invalidated or isinstance(error, OperationalError)


def origin(error: BaseException) -> BaseException:
    """Give the driver's own error, whose text is without the statement."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _mark(_: object, record: ConnectionPoolEntry) -> None:
    """Tell our connections from a handler's: see process/connections.py."""
    record.info["consumer"] = True


def _configure(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions begin as we say, below
    connection.execute("PRAGMA journal_mode=WAL")  # readers do not wait for the writer
    connection.execute(f"PRAGMA busy_timeout={CONNECT * 1000}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # a transaction that has only read could not become a writer

"""Connections to the ledger's database: short ones, which notice a peer that is gone, and never wait for long."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from consumer import databaseurl
from consumer.errors import SettingsError, text_of

if TYPE_CHECKING:
    from sqlalchemy import URL, Dialect, ExceptionContext
    from sqlalchemy.pool import ConnectionPoolEntry

    from consumer.settings import Settings

CONNECT = 5  # seconds
STATEMENT = 10  # seconds for one of the ledger's own; the handler's may take longer
CANCEL = 2.0  # seconds for breaking off a statement
LIBPQ: dict[str, Any] = {  # a peer that is gone without a word is noticed within 10 s of silence to what was sent
    "connect_timeout": CONNECT, "keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10,
    "keepalives_count": 3, "tcp_user_timeout": 10_000, "application_name": "consumer",
    "target_session_attrs": "read-write",  # never a replica: each claim is a write
    "prepare_threshold": None,  # statements prepared in a session are unknown behind a proxy that shares sessions
}  # fmt: skip
ISOLATION = "READ COMMITTED"  # under a stricter one each renewal would make the close of its own message fail
SERVER_DEFAULTS = (  # the level, for the ledger's own statements: without BEGIN they have no other way to say it
    "-c default_transaction_isolation=read\\ committed "
    "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
)
TROUBLED = (DBAPIError, PoolTimeoutError)
SQLITE_WAITS = (
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
)  # fmt: skip
PROXIED = "consumer_proxied"  # in a connection's info
READ_ONLY = "25006"  # PostgreSQL's SQLSTATE: after a failover, an old connection leads to what is now the replica
WAITS = ("08", "40", "53", "57")  # classes of SQLSTATE: connection, rollback, resources, intervention (and timeouts)
LOCKED = "55P03"
ENDED = "57014"


def engine(
    url: str, connections: int, *, statement_seconds: float = STATEMENT, ping: bool = False, reads: bool = False
) -> Engine:
    """Make an engine; it connects when it is first used. A statement may take so long, 0 being without end.

    ping: ask a connection for a sign of life before each use. It costs a round trip, and the ledger's own statements
    may be said again. reads: for somebody who writes nothing, and may have no right to. Raises SettingsError where the
    URL leads to no database that we know.
    """
    if fault := databaseurl.wrong(url):
        raise SettingsError([fault])
    target = make_url(url)
    options: dict[str, Any] = {
        "pool_size": connections, "max_overflow": 0, "pool_timeout": STATEMENT, "pool_pre_ping": ping,
        "hide_parameters": True,  # of a body, perhaps: they must not come into the log with an error's text
    }  # fmt: skip
    if target.get_backend_name() == "sqlite":
        return _on_sqlite(target, options, reads=reads)
    ours = LIBPQ | {"target_session_attrs": "any"} if reads else LIBPQ
    given = {name: value for name, value in ours.items() if name not in target.query}
    made = create_engine(
        target.set(drivername="postgresql+psycopg"), **options, connect_args=given, isolation_level=ISOLATION
    )
    event.listen(made, "connect", _mark)
    event.listen(made, "do_connect", partial(_connect, statement_seconds))
    event.listen(made, "handle_error", _leave_replica)
    return made


def _on_sqlite(target: URL, options: dict[str, Any], *, reads: bool) -> Engine:
    plain = target.set(drivername="sqlite")  # as above: an application's own URL may name an asynchronous driver
    made = create_engine(plain, **options, connect_args={"timeout": CONNECT, "check_same_thread": False})
    event.listen(made, "connect", _mark)
    event.listen(made, "connect", _configure)
    if reads:
        event.listen(made, "do_connect", _open)
    else:
        event.listen(made, "connect", _write_ahead)
        event.listen(made, "begin", _begin)
    return made


def of(settings: Settings, connections: int, *, ping: bool = False) -> Engine:
    """Make an engine for the ledger's database."""
    assert settings.database_url is not None
    return engine(settings.database_url.get_secret_value(), connections, ping=ping)


def away(error: BaseException) -> bool:
    """Whether the database is the trouble and not the statement, so that waiting may cure it."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, TROUBLED)
    if isinstance(error.orig, sqlite3.Error):  # it says "no such table" by the same class
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in SQLITE_WAITS
    state = getattr(error.orig, "sqlstate", None)  # none where it did not come to a connection
    if error.connection_invalidated or state is None:
        return error.connection_invalidated or isinstance(error, OperationalError)
    return state[:2] in WAITS or state in (LOCKED, READ_ONLY)


def timed_out(error: BaseException) -> bool:
    """Whether a statement was ended for its length: again, it would take as long."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == ENDED


def origin(error: BaseException) -> BaseException:
    """Give the driver's own error, whose text is without the statement."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def explained(error: BaseException) -> str:
    """Put an error into one line: what the driver says, without the statement, its place in it, or a link."""
    found = origin(error)
    plain = found.args[0] if isinstance(found, SQLAlchemyError) and found.args else text_of(found)
    said = getattr(getattr(found, "diag", None), "message_primary", None) or plain  # PostgreSQL's, where it came to it
    return " ".join(f"{type(found).__qualname__}: {said}".split())


def broken_off(connection: Connection) -> bool:
    """Break off a statement that another thread has under way: a rollback would wait for it. Return whether there was.

    On PostgreSQL alone: SQLite's interrupt would meet the rollback, too, where a result is not read to its end.
    """
    driver_s: Any = connection.connection.dbapi_connection
    if connection.dialect.name != "postgresql" or driver_s.info.transaction_status.name != "ACTIVE":
        return False
    with suppress(connection.dialect.loaded_dbapi.Error):  # nobody answers: to close it is all that is left
        driver_s.cancel_safe(timeout=CANCEL)
    return True


def unlock(connection: Connection) -> None:
    """Release a SQLite file that a thread has locked which hangs; whatever it still says there is refused.

    Not closed at once: a result that is not read to its end would keep the lock.
    """
    driver_s = connection.connection.dbapi_connection
    if isinstance(driver_s, sqlite3.Connection):
        driver_s.execute("PRAGMA query_only=ON")  # rolled back, it would commit each statement by itself
        driver_s.rollback()
        driver_s.close()


def _mark(_: object, record: ConnectionPoolEntry) -> None:
    """Tell our connections from a handler's: see process/connections.py."""
    record.info["consumer"] = True


def _connect(seconds: float, dialect: Dialect, record: ConnectionPoolEntry, args: Any, given: dict[str, Any]) -> Any:  # noqa: ANN401 - SQLAlchemy's
    """Connect, with our options behind the URL's own.

    A proxy between (RDS Proxy, pgbouncer) refuses options, and is then asked without: it has timeouts of its own.
    """
    own = given.get("options", "")
    ours = f"-c statement_timeout={seconds * 1000:.0f} {SERVER_DEFAULTS} {own}".strip()  # the last one holds
    try:
        return dialect.connect(*args, **given | {"options": ours})
    except dialect.loaded_dbapi.OperationalError as error:
        if "options" not in str(error) or own:
            raise
        record.info[PROXIED] = True
        return dialect.connect(*args, **given)


def _leave_replica(context: ExceptionContext) -> None:
    """Have all connections made anew: they would go on to lead to a server that takes no writes."""
    if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
        context.is_disconnect = True


def _open(dialect: Dialect, _: object, args: Any, given: dict[str, Any]) -> Any:  # noqa: ANN401 - SQLAlchemy's
    """Open a file that is there: SQLite would make one, and what a path wrong by a letter leads to knows nothing."""
    (path,) = args
    return dialect.connect(f"file:{quote(path)}?mode=rw", **given | {"uri": True})


def forget_between_uses(engine: Engine) -> None:
    """Have what was set on a connection (settings, locks, temporary tables) forgotten when it is given back.

    A round trip. A proxy gives each transaction whatever connection there is: what is set there is its own to undo.
    """
    if engine.dialect.name == "postgresql":
        event.listen(engine, "reset", _forget)


def _forget(connection: Any, record: ConnectionPoolEntry, _: object) -> None:  # noqa: ANN401 - the driver's
    connection.rollback()
    if PROXIED not in record.info:
        connection.autocommit = True
        connection.execute("DISCARD ALL")
        connection.autocommit = False


def _configure(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions begin as we say, below; without a word, each statement is one
    connection.execute(f"PRAGMA busy_timeout={CONNECT * 1000}")


def _write_ahead(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")  # readers do not wait for the writer


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # a transaction that has only read could not become a writer

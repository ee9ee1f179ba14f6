"""The ledger's table, the database's own clock, and how the table comes to be."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from consumer.errors import LedgerError, problem

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

UPGRADES: tuple[tuple[str, ...], ...] = ()
"""The statements that bring version 1 to 2, 2 to 3 and so on, in both databases' SQL. The tables below are the newest.

Processes of the version before go on meanwhile: what comes in must have a default or may be null, and nothing goes out.
"""
LOCK = 0x636F6E73756D6572  # an advisory lock's name: "consumer"

OPEN, DONE, DEAD = "open", "done", "dead"

metadata = MetaData()
ledger = Table(
    "consumer_ledger",
    metadata,
    Column("queue", String(80), primary_key=True),  # SQS: at most 80 characters
    Column("key", String(256), primary_key=True),
    Column("message_id", String(128), nullable=False),
    Column("digest", String(64), nullable=False),  # of the body, to tell a repeat from another message with its key
    Column("state", String(4), nullable=False),
    Column("fence", BigInteger, nullable=False),  # rises with every claim; whoever holds an older one closes nothing
    Column("failures", Integer, nullable=False),
    Column("crashes", Integer, nullable=False),
    Column("suspect", Boolean, nullable=False),  # a crash is on record: it is to run alone
    Column("redrives", Integer, nullable=False),
    Column("holder", String(128)),
    Column("claimed_until", Double),  # times are seconds since 1970 by the database's clock, which is everybody's
    Column("began", Double, nullable=False),
    Column("ended", Double),
    Column("done_before", String(128)),  # the message that was done with this key before another one had it
    Column("key_until", Double),  # done: until then another message with this key is a repeat
    Column("result", Text),  # JSON
    Column("reason", Text),
    Column("expires", Double, nullable=False),
    Index("consumer_ledger_expires", "expires"),
)
version = Table("consumer_version", metadata, Column("version", Integer, nullable=False))


class now(FunctionElement[float]):  # noqa: N801 - reads as SQL
    """Seconds since 1970 by the database's clock, at the moment of asking: a transaction's own time stands still."""

    type = Double()
    inherit_cache = True


@compiles(now, "postgresql")
def _on_postgresql(*_: object, **__: object) -> str:
    return "extract(epoch FROM clock_timestamp())::float8"


@compiles(now, "sqlite")
def _on_sqlite(*_: object, **__: object) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


def newest() -> int:
    """Give the version that this program makes."""
    return len(UPGRADES) + 1


def migrate(engine: Engine) -> bool:
    """Bring the schema to this version, safely while others try the same; return whether there was anything to do.

    Raises LedgerError when the database's schema is newer than this program, or a table with its name is another one.
    """
    with engine.begin() as connection:
        if _found(connection) == newest():
            return False
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # SQLite's transactions begin with the lock on the whole file
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        found = _found(connection)
        if found == newest():
            return False
        _upgrade(connection, found)
    return True


def _upgrade(connection: Connection, found: int) -> None:
    if found == 0:
        metadata.create_all(connection)
    else:
        for statement in chain.from_iterable(UPGRADES[found - 1 :]):
            connection.execute(text(statement))
    _compare(connection)
    connection.execute(delete(version))
    connection.execute(insert(version).values(version=newest()))


def _found(connection: Connection) -> int:
    """Give the database's version, 0 where a table is missing."""
    tables = inspect(connection)
    if not tables.has_table(version.name) or not tables.has_table(ledger.name):
        return 0
    found = connection.scalar(select(func.max(version.c.version))) or 0
    if found > newest():
        wrong = f"the ledger's table: expected version {newest()} or older; got {found}. To do: run a newer consumer."
        raise LedgerError(wrong)
    if found == newest():
        _compare(connection)
    return found


def _compare(connection: Connection) -> None:
    """Look whether the table has its columns: one that somebody else has made would refuse every claim."""
    there = {column["name"] for column in inspect(connection).get_columns(ledger.name)}
    if missing := [column.name for column in ledger.c if column.name not in there]:
        got = f"one without {', '.join(missing)}"
        raise LedgerError(problem(f"the table {ledger.name}", "the ledger's", got, "rename it, and start again"))

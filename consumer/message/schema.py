"""The ledger's table, the database's own clock, and how the table comes to be."""

from __future__ import annotations

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
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from consumer.errors import LedgerError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

VERSION = 1
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


def migrate(engine: Engine) -> bool:
    """Bring the schema to this version, safely while others try the same; return whether there was anything to do.

    Raises LedgerError when the database's schema is newer than this program.
    """
    with engine.begin() as connection:
        if _is_current(connection):
            return False
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # SQLite's transactions begin with the lock on the whole file
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        if _is_current(connection):
            return False
        metadata.create_all(connection)
        connection.execute(insert(version).values(version=VERSION))
    return True


def _is_current(connection: Connection) -> bool:
    if not inspect(connection).has_table(version.name):
        return False
    found = connection.scalar(select(version.c.version))
    if found is not None and found > VERSION:
        wrong = f"the ledger's table: expected version {VERSION} or older; got {found}. To do: run a newer consumer."
        raise LedgerError(wrong)
    return found == VERSION

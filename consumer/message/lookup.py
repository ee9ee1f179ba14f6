"""`consumer.lookup`: what has become of a message, for a web application that asks."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError

from consumer.errors import SettingsError, problem
from consumer.message import database
from consumer.message.ledger import Ledger
from consumer.message.schema import DEAD, DONE
from consumer.message.schema import ledger as table

if TYPE_CHECKING:
    from sqlalchemy import Engine, Row

CONNECTIONS = 2  # for all threads of a web application: a question takes a millisecond
_engines: dict[tuple[int, str, str], tuple[Engine, Ledger]] = {}


@dataclass(frozen=True, slots=True)
class Found:
    """What the ledger knows of a key.

    state: unknown (never received, or forgotten; or no consumer has made the ledger's table yet), running (in hand, or
    waiting for its next attempt), done or failed.
    result: what the handler returned, where JSON can hold it. reason: of the last failure.
    """

    state: str
    result: Any = None
    reason: str = ""


def lookup(key: str, *, queue: str = "", database_url: str = "") -> Found:
    """Look a message up by its key: its message id, or what the handler's `key=` gives.

    queue: its name or URL (CONSUMER_QUEUE_URL). database_url: the ledger's (CONSUMER_DATABASE_URL).
    Raises SettingsError where one of them is wrong, or neither given nor set; SQLAlchemy's errors when the database is
    away, or its SQLite file not there. It writes nothing: the right to SELECT is enough, and so is a replica.
    """
    queue, url = _given("CONSUMER_QUEUE_URL", queue), _given("CONSUMER_DATABASE_URL", database_url)
    row = _row(key, *_opened(os.getpid(), url, queue))
    if row is None or row.over:
        return Found("unknown")
    if row.state == DONE:
        return Found("done", result=None if row.result is None else json.loads(row.result))
    return Found("failed" if row.state == DEAD else "running", reason=row.reason or "")


def _given(name: str, value: str) -> str:
    found = value or os.environ.get(name, "")
    if not found:
        raise SettingsError([problem(name, "a value", "none", "set it, or pass it to lookup()")])
    return found


def _row(key: str, engine: Engine, ledger: Ledger) -> Row[Any] | None:
    try:
        return ledger.look_up(key)
    except DBAPIError:
        if inspect(engine).has_table(table.name):
            raise
        return None


def _opened(pid: int, url: str, queue: str) -> tuple[Engine, Ledger]:
    """Give a process's own: what it is forked from may have looked up already, and a connection serves one process.

    Of threads that ask first at the same moment one has its engine kept: the others' have not connected yet.
    """
    found = _engines.get((pid, url, queue))
    if found is None:
        engine = database.engine(url, CONNECTIONS, ping=True, reads=True)
        found = _engines.setdefault((pid, url, queue), (engine, Ledger(engine, queue, retention=0)))
    return found

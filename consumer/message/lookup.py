"""`consumer.lookup`: what has become of a message, for a web application that asks."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from typing import Any

from consumer.errors import SettingsError, problem
from consumer.message import database
from consumer.message.ledger import Ledger
from consumer.message.schema import DEAD, DONE

CONNECTIONS = 2


@dataclass(frozen=True, slots=True)
class Found:
    """What the ledger knows of a key.

    state: unknown (never received, or forgotten), running (in hand, or waiting for its next attempt), done or failed.
    result: what the handler returned, where JSON can hold it. reason: of the last failure.
    """

    state: str
    result: Any = None
    reason: str = ""


def lookup(key: str, *, queue: str = "", database_url: str = "") -> Found:
    """Look a message up by its key: its message id, or what the handler's `key=` gives.

    queue: its name or URL (CONSUMER_QUEUE_URL). database_url: the ledger's (CONSUMER_DATABASE_URL).
    Raises SettingsError where one of them is neither given nor set, SQLAlchemy's errors when the database is away.
    """
    name = _given("CONSUMER_QUEUE_URL", queue).rpartition("/")[2]
    ledger = _ledger(_given("CONSUMER_DATABASE_URL", database_url), name)
    row = ledger.look_up(key)
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


@cache
def _ledger(url: str, queue: str) -> Ledger:
    return Ledger(database.engine(url, CONNECTIONS), queue, retention=0)

"""`consumer ledger`: make its table, remove what has expired, count what is in it, say how long messages took."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from consumer.desk.table import table
from consumer.errors import LedgerError, SettingsError, problem
from consumer.message import database, schema
from consumer.message.ledger import Ledger
from consumer.process import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from sqlalchemy import Engine

HELP = "make or update the table; remove what has expired; count rows; print the seconds of what was done at once"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("action", choices=ACTIONS, help=HELP)
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def main(arguments: Namespace) -> int:
    """Do it; return 1 when the database does not answer, 64 when there is no ledger or it is none of this version's.

    It reads no settings but those that it needs: a job that prepares a deployment has no queue and no handler.
    """
    act, page = ACTIONS[arguments.action]
    try:
        facts = _done(act)
    except (SettingsError, LedgerError) as error:
        return output.refuse(error)
    except (SQLAlchemyError, OSError) as error:
        print(f"the ledger: expected an answer of its database; got {database.explained(error)}", file=sys.stderr)
        return 1
    print(json.dumps(facts) if arguments.json else page(facts))
    return 0


def _done(act: Callable[[Engine], dict[str, Any]]) -> dict[str, Any]:
    engine = database.engine(_given("CONSUMER_DATABASE_URL", "the ledger's database"), connections=1)
    try:
        return act(engine)
    finally:
        engine.dispose()


def _given(name: str, expected: str) -> str:
    if not (value := os.environ.get(name, "")):
        raise SettingsError([problem(name, expected, "none", "set it")])
    return value


def _migrate(engine: Engine) -> dict[str, Any]:
    return {"changes": int(schema.migrate(engine))}


def _migrated(facts: dict[str, Any]) -> str:
    return "the ledger's table " + ("has been brought up to date" if facts["changes"] else "is up to date")


def _prune(engine: Engine) -> dict[str, Any]:
    schema.migrate(engine)
    ledger, removed = Ledger(engine, queue="", retention=0), 0  # expired rows are removed of every queue
    while rows := ledger.prune():
        removed += rows
    return {"removed": removed}


def _pruned(facts: dict[str, Any]) -> str:
    return f"expired rows removed: {facts['removed']}"


def _stats(engine: Engine) -> dict[str, Any]:
    ledger = _of_queue(engine)
    return {"queue": ledger.queue} | ledger.counts()


def _counted(facts: dict[str, Any]) -> str:
    return table((f"queue {facts['queue']}", "rows"), [(name, facts[name]) for name in facts if name != "queue"])


def _durations(engine: Engine) -> dict[str, Any]:
    ledger = _of_queue(engine)
    return {"queue": ledger.queue, "seconds": [round(seconds, 3) for seconds in ledger.durations()]}


def _traced(facts: dict[str, Any]) -> str:
    """Write what `consumer rehearse --trace` reads."""
    return "\n".join(json.dumps({"seconds": seconds}) for seconds in facts["seconds"])


def _of_queue(engine: Engine) -> Ledger:
    ledger = Ledger(engine, _given("CONSUMER_QUEUE_URL", "a queue's URL or name"), retention=0)
    schema.migrate(engine)
    return ledger


ACTIONS = {
    "migrate": (_migrate, _migrated),
    "prune": (_prune, _pruned),
    "stats": (_stats, _counted),
    "durations": (_durations, _traced),
}

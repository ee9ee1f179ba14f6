"""`consumer ledger`: make its table, remove what has expired, count what is in it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from consumer import environment
from consumer.desk.table import table
from consumer.errors import LedgerError, SettingsError, described, problem
from consumer.message import database, schema
from consumer.message.ledger import Ledger
from consumer.process import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from sqlalchemy import Engine

    from consumer.settings import Settings


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("action", choices=ACTIONS, help="make or update the table; remove what has expired; count rows")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def main(arguments: Namespace) -> int:
    """Do it; return 1 when the database does not answer, 64 when there is no ledger or it is too new."""
    try:
        settings, _ = environment.load()
        engine = database.engine(_url(settings), connections=1)
        ledger = Ledger.of(settings, engine)
        facts = ACTIONS[arguments.action](engine, ledger)
    except (SettingsError, LedgerError) as error:
        return output.refuse(error)
    except (SQLAlchemyError, OSError) as error:
        print(
            f"the ledger: expected an answer of its database; got {described(database.origin(error))}", file=sys.stderr
        )
        return 1
    engine.dispose()
    print(json.dumps(facts) if arguments.json else table(("", "rows"), list(facts.items())))
    return 0


def _url(settings: Settings) -> str:
    if settings.database_url is None:
        raise SettingsError([problem("CONSUMER_DATABASE_URL", "the ledger's database", "none", "set it")])
    return settings.database_url.get_secret_value()


def _migrate(engine: Engine, _: Ledger) -> dict[str, int]:
    return {"changes": int(schema.migrate(engine))}


def _prune(engine: Engine, ledger: Ledger) -> dict[str, int]:
    schema.migrate(engine)
    removed = 0
    while rows := ledger.prune():
        removed += rows
    return {"removed": removed}


def _stats(engine: Engine, ledger: Ledger) -> dict[str, int]:
    schema.migrate(engine)
    return ledger.counts()


ACTIONS = {"migrate": _migrate, "prune": _prune, "stats": _stats}

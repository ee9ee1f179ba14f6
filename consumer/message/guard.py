"""Keeps a handler from ending the transaction in which its message is closed, whichever way it tries."""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn
from weakref import WeakSet

from sqlalchemy import event

from consumer.errors import problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Engine

WATCH = "consumer_watch"  # among the execution options of all that is connected through a session's own bind
ENDING = re.compile(
    r"(?:\s|;|--[^\n]*\n|/\*.*?\*/)*"
    r"(COMMIT|END|PREPARE\s+TRANSACTION|ABORT|ROLLBACK(?!\s+(?:WORK\s+|TRANSACTION\s+)?TO\b))\b",
    re.IGNORECASE | re.DOTALL,
)
UNDOING = ("ABORT", "ROLLBACK")
closing = ContextVar("closing", default=False)  # whether the commit of this moment is the consumer's own


@dataclass(slots=True)
class Watch:
    """What is known of one session.

    refused: its first commit that was refused; a handler may have swallowed that.
    connections: what was taken through its bind.
    """

    refused: RuntimeError | None = None
    connections: WeakSet[Connection] = field(default_factory=WeakSet)

    @property
    def in_use(self) -> list[Connection]:
        """Give the connections that are not given back."""
        return [one for one in list(self.connections) if not one.closed and not one.invalidated]


def guard(engine: Engine) -> None:
    """Refuse what would end a transaction of this engine: `session.begin()`, SQL and isolation levels can, too."""
    event.listen(engine, "engine_connect", _note)
    event.listen(engine, "commit", _check)
    event.listen(engine, "before_cursor_execute", _check_statement)
    event.listen(engine, "set_connection_execution_options", _check_options)
    event.listen(engine, "set_engine_execution_options", _check_options)


def refusal(expected: str = "no commit by the handler", got: str = "one") -> RuntimeError:
    """Say what is refused: an effect committed before its message is closed would happen again."""
    remedy = "leave it out: what was written is committed with the message, when the handler has returned"
    return RuntimeError(problem("context.session", expected, got, remedy))


def _note(connection: Connection) -> None:
    watch: Watch | None = connection.get_execution_options().get(WATCH)
    if watch is not None:
        watch.connections.add(connection)


def _check(connection: Connection) -> None:
    if not closing.get():
        _refuse(connection, refusal())


def _check_statement(connection: Connection, _: object, statement: str, *__: object) -> None:
    found = ENDING.match(statement)
    if found is not None:  # after ROLLBACK, SQLite would commit each statement by itself
        undoing = found[1].upper() in UNDOING
        _refuse(connection, refusal("session.rollback()", found[1]) if undoing else refusal())


def _check_options(of: Connection | Engine, options: Mapping[str, Any]) -> None:
    if str(options.get("isolation_level")).upper() == "AUTOCOMMIT":
        _refuse(of, refusal())


def _refuse(of: Connection | Engine, error: RuntimeError) -> NoReturn:
    watch: Watch = of.get_execution_options().get(WATCH) or Watch()
    watch.refused = watch.refused or error  # whoever swallows it may have had his writes undone
    raise error

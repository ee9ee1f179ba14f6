"""What a handler has written when the database breaks off just as its message is closed, on both databases."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from consumer.errors import NotWritten
from consumer.message import database, schema, transaction
from consumer.message.ledger import Claim, Ledger
from consumer.message.transaction import HandlerSession, Transaction
from consumer.process.claims import Claims
from consumer.process.invoke import Ran
from support import databases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

GONE = OperationalError("COMMIT", {}, OSError("server closed the connection"))
WRITING = text("INSERT INTO effects (id) VALUES ('m1')")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = database.engine(database_url, 4)
    schema.migrate(made)
    with made.begin() as connection:
        connection.execute(text("CREATE TABLE effects (id VARCHAR(10))"))
    yield made
    made.dispose()


def closed(ledger: Ledger, claim: Claim, written: Transaction) -> Any:
    """Close a run that has returned, asking until the database answers as the consumer does."""
    own: Any = SimpleNamespace(_ledger=ledger, _ttl=None)
    hand: Any = SimpleNamespace(ran=Ran("returned"))
    for _ in range(3):
        try:
            return Claims._commit(own, hand, claim, written)
        except OperationalError:
            continue
        except NotWritten as failed:
            return failed.__cause__
    raise AssertionError("three answers in a row were lost")


@pytest.mark.parametrize("by", ["session", "on_done"])
@pytest.mark.parametrize("arrived", [True, False])
def test_when_the_commit_s_answer_is_lost_the_writes_are_kept_with_the_closing_or_the_message_runs_again(
    engine: Engine, by: str, monkeypatch: pytest.MonkeyPatch, *, arrived: bool
) -> None:
    ledger = Ledger(engine, "orders", 1000)
    claim = ledger.claim("k", "m1", "digest", 90, "me")
    assert isinstance(claim, Claim)
    written = Transaction(engine, time.monotonic)
    if by == "session":
        written.for_handler().execute(WRITING)
    else:
        written.on_done(lambda session: session.execute(WRITING))
    commit, is_done = HandlerSession.commit_with_message, Ledger.is_done

    def commit_breaks(session: HandlerSession) -> None:
        monkeypatch.setattr(HandlerSession, "commit_with_message", commit)
        if arrived:
            commit(session)
        raise GONE

    def still_away(*_: object) -> bool:
        monkeypatch.setattr(Ledger, "is_done", is_done)
        raise GONE

    monkeypatch.setattr(HandlerSession, "commit_with_message", commit_breaks)
    monkeypatch.setattr(Ledger, "is_done", still_away)
    kept = arrived or by == "on_done"  # what callbacks write can be written again
    assert closed(ledger, claim, written) == (True if kept else GONE)
    with engine.begin() as connection:
        assert list(connection.scalars(text("SELECT id FROM effects"))) == (["m1"] if kept else [])
    assert ledger.is_done(claim) == kept, "never done without its writes"


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ"])
def test_a_claim_that_is_renewed_while_the_handler_s_session_is_open_is_closed_at_any_isolation(
    postgresql: str, level: str
) -> None:
    """The level may be the database's own default, or a handler's wish: after each renewal its run would fail."""
    url = databases.on_postgresql(postgresql)
    engine = database.engine(url, 2)
    schema.migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE effects (id VARCHAR(10))"))
        connection.execute(text(f"ALTER DATABASE {engine.url.database} SET default_transaction_isolation = '{level}'"))
    engine.dispose()
    ledger, sessions = Ledger(engine, "orders", 1000), transaction.engine(url, 1)
    claim = ledger.claim("k", "m1", "digest", 90, "p1")
    assert isinstance(claim, Claim)
    written = Transaction(sessions, time.monotonic)
    written.for_handler().execute(WRITING)
    assert ledger.renew(claim, 90)
    answer = closed(ledger, claim, written)
    engine.dispose()
    sessions.dispose()
    assert answer is True


@pytest.mark.parametrize("schema_of", ["SET LOCAL search_path TO tenant", "SET search_path TO tenant"])
def test_a_handler_may_choose_its_tenant_s_schema(postgresql: str, schema_of: str) -> None:
    url = databases.on_postgresql(postgresql)
    engine = database.engine(url, 2)
    schema.migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA tenant"))
        connection.execute(text("CREATE TABLE tenant.effects (id VARCHAR(10))"))
    ledger, sessions = Ledger(engine, "orders", 1000), transaction.engine(url, 1)
    claim = ledger.claim("k", "m1", "digest", 90, "p1")
    assert isinstance(claim, Claim)
    written = Transaction(sessions, time.monotonic)
    session = written.for_handler()
    session.execute(text(schema_of))
    session.execute(WRITING)
    answer = closed(ledger, claim, written)
    engine.dispose()
    sessions.dispose()
    assert answer is True


WAYS = ["session", "on_done"]


def ready(url: str, writing: Callable[[Session], Any], by: str, *statements: str, seconds: float = 0) -> Any:
    """Make a ledger, tables, a claim on its message and what its handler wants written."""
    engine, sessions = database.engine(url, 2), transaction.engine(url, 1, statement_seconds=seconds)
    schema.migrate(engine)
    with engine.begin() as connection:
        for statement in ("CREATE TABLE effects (id VARCHAR(10))", *statements):
            connection.execute(text(statement))
    ledger = Ledger(engine, "orders", 1000)
    claim = ledger.claim("k", "m1", "digest", 90, "p1")
    assert isinstance(claim, Claim)
    written = Transaction(sessions, time.monotonic)
    if by == "session":
        writing(written.for_handler())
    else:
        written.on_done(writing)
    return engine, sessions, ledger, claim, written


@pytest.mark.parametrize("by", WAYS)
def test_a_deferred_constraint_that_fails_at_the_commit_is_the_run_s_failure_and_nothing_is_kept(
    postgresql: str, by: str
) -> None:
    keys = "ALTER TABLE effects ADD UNIQUE (id) DEFERRABLE INITIALLY DEFERRED"

    def twice(session: Session) -> None:
        session.execute(WRITING)
        session.execute(WRITING)

    engine, sessions, ledger, claim, written = ready(databases.on_postgresql(postgresql), twice, by, keys)
    answer = closed(ledger, claim, written)
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM effects")) == 0
    closed_as_failed = ledger.failed(claim, "as it says") and not ledger.is_done(claim)
    engine.dispose()
    sessions.dispose()
    assert isinstance(answer, IntegrityError)
    assert closed_as_failed


@pytest.mark.parametrize("by", WAYS)
def test_after_a_serialization_failure_at_the_commit_a_callback_writes_again_and_a_session_s_run_has_failed(
    postgresql: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, strict = databases.on_postgresql(postgresql), {"isolation_level": "SERIALIZABLE"}
    rival, commit = database.engine(url, 1), HandlerSession.commit_with_message

    def count_and_write(session: Session) -> None:
        session.connection(execution_options=strict)
        session.scalar(text("SELECT count(*) FROM effects"))
        session.execute(WRITING)

    def overtaken(session: HandlerSession) -> None:
        monkeypatch.setattr(HandlerSession, "commit_with_message", commit)
        with rival.connect().execution_options(**strict) as connection, connection.begin():
            connection.scalar(text("SELECT count(*) FROM effects"))
            connection.execute(text("INSERT INTO effects (id) VALUES ('rival')"))
        commit(session)

    monkeypatch.setattr(HandlerSession, "commit_with_message", overtaken)
    engine, sessions, ledger, claim, written = ready(url, count_and_write, by)
    answer = closed(ledger, claim, written)
    with engine.begin() as connection:
        found = list(connection.scalars(text("SELECT id FROM effects ORDER BY id")))
    for one in (engine, sessions, rival):
        one.dispose()
    if by == "on_done":
        assert (answer, found) == (True, ["m1", "rival"])
    else:
        assert (answer.orig.sqlstate, found) == ("40001", ["rival"])


def test_a_callback_s_statement_past_the_time_limit_is_ended_and_not_tried_again(postgresql: str) -> None:
    tries: list[Session] = []

    def waits(session: Session) -> None:
        tries.append(session)
        session.execute(text("SELECT pg_sleep(60)"))

    url = databases.on_postgresql(postgresql)
    engine, sessions, ledger, claim, written = ready(url, waits, "on_done", seconds=0.5)
    answer = closed(ledger, claim, written)
    engine.dispose()
    sessions.dispose()
    assert (answer.orig.sqlstate, len(tries)) == ("57014", 1)

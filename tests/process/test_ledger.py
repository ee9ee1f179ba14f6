"""Nothing is done twice: real processes, a real queue, a real database, and SIGKILL at every step."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, make_url, text

from consumer.message.lookup import lookup
from support.handlers import notes
from support.ledgered import STEPS
from support.programs import Program, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.queues import Queues


class Effects:
    """The table that handlers write into."""

    def __init__(self, url: str) -> None:
        target = make_url(url)
        self.engine = create_engine(
            target if target.get_backend_name() == "sqlite" else target.set(drivername="postgresql+psycopg")
        )
        with self.engine.begin() as connection:
            connection.execute(text("CREATE TABLE effects (id VARCHAR(100))"))

    def all(self) -> list[str]:
        with self.engine.begin() as connection:
            return list(connection.scalars(text("SELECT id FROM effects")))


@pytest.fixture
def effects(database_url: str) -> Iterator[Effects]:
    made = Effects(database_url)
    yield made
    made.engine.dispose()


@pytest.fixture
def ledgered(env: dict[str, str], database_url: str, effects: Effects) -> dict[str, str]:  # noqa: ARG001 - its table
    return {**env, "CONSUMER_DATABASE_URL": database_url, "CONSUMER_HANDLER": "support.ledgered:writes"}


@pytest.mark.timeout(240)  # two dozen deaths, each followed by the end of a lease
def test_whatever_dies_at_whatever_step_an_effect_happens_exactly_once(
    queues: Queues, ledgered: dict[str, str], effects: Effects, tmp_path: Path
) -> None:
    (tmp_path / "killed").mkdir()
    short = {"CONSUMER_VISIBILITY_TIMEOUT": "3", "CONSUMER_PROCESSES": "3", "CONSUMER_LIMIT": "0"}
    kinds = [(step, then) for step in STEPS for then in ("done", "fail", "reject")]
    cases = [(step, then, ("session", "on_done")[number % 2]) for number, (step, then) in enumerate(kinds)]
    ids = queues.send(*[{"step": step, "then": then, "by": by} for step, then, by in cases])
    dead = {name for name, (_, then, _) in zip(ids, cases, strict=True) if then == "reject"}
    with Program(tmp_path, "up", env={**ledgered, **short, "KILLED": str(tmp_path / "killed")}) as container:
        wait_until(lambda: queues.left == 0, f"every message is settled\n{container.tail()}", 200)
        assert container.terminate() == 0
    assert sorted(effects.all()) == sorted(set(ids) - dead)
    buried = [one["MessageAttributes"]["ConsumerReject"]["StringValue"] for one in queues.all_dead()]
    assert len(buried) == len(dead)
    assert {step for path in (tmp_path / "killed").iterdir() for step in [path.read_text()]} == set(STEPS)


def test_a_message_sent_twice_by_the_queue_runs_once(
    queues: Queues, ledgered: dict[str, str], effects: Effects, tmp_path: Path
) -> None:
    """The queue forgets a delete, as SQS may: the second delivery is settled by a look at the ledger."""
    (name,) = queues.send({})
    forgets = {"DENIED": "DeleteMessage", "CONSUMER_VISIBILITY_TIMEOUT": "2", "CONSUMER_HEARTBEAT_INTERVAL": "0.5"}
    with Program(tmp_path, "work", env={**ledgered, **forgets}) as program:
        program.wait_for("delivered", 2)
        assert program.terminate() == 0
    assert effects.all() == [name]
    assert len(notes(tmp_path / "books", "begin")) == 1


def test_what_a_callback_raises_is_a_failure_and_nothing_of_the_run_is_kept(
    queues: Queues, ledgered: dict[str, str], effects: Effects, tmp_path: Path
) -> None:
    (name,) = queues.send({"then": "callback fails"})
    with Program(tmp_path, "work", env=ledgered) as program:
        program.wait_for("delivered", outcome="done")
        (failed,) = program.events("delivered", outcome="retry")
        assert failed["error"].startswith("ZeroDivisionError")
        assert program.events("delivered", outcome="done")[0]["attempt"] == 2
        assert program.terminate() == 0
    assert effects.all() == [name]


def test_a_handler_may_not_commit_and_is_told_why(
    queues: Queues, ledgered: dict[str, str], effects: Effects, tmp_path: Path
) -> None:
    queues.send({"then": "commit"})
    with Program(tmp_path, "work", env={**ledgered, "CONSUMER_MAX_ATTEMPTS": "1"}) as program:
        program.wait_for("delivered", outcome="reject")
        assert "no commit by the handler" in program.events("delivered")[0]["error"]
        assert program.terminate() == 0
    assert effects.all() == []


def test_the_result_can_be_looked_up(
    queues: Queues, ledgered: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    (name,) = queues.send({})
    with Program(tmp_path, "work", env=ledgered) as program:
        program.wait_for("delivered", outcome="done")
        assert program.terminate() == 0
    found = lookup(name, queue=queues.url, database_url=database_url)
    assert (found.state, found.result) == ("done", {"report": name})


def test_messages_with_one_key_are_done_once_and_said_to_be_repeats(
    queues: Queues, ledgered: dict[str, str], tmp_path: Path
) -> None:
    first, second, third = queues.send({"order": "a"}, {"order": "a"}, {"order": "a", "changed": 1})
    with Program(tmp_path, "work", env={**ledgered, "CONSUMER_HANDLER": "support.ledgered:by_order"}) as program:
        program.wait_for("delivered", 3, outcome="done")
        assert program.terminate() == 0
        assert len(program.events("delivered", cause="deduplicated")) == 2
        said = {line["message_id"] for name in ("repeated", "key_of_another_body") for line in program.events(name)}
    (run,) = notes(tmp_path / "books")
    assert said == {first, second, third} - {run["id"]}
    assert queues.left == 0


def test_the_database_away_loses_nothing_and_ends_no_process(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    """Somebody holds the lock on the file for longer than anybody waits for it."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    effects = Effects(url)
    with Program(
        tmp_path, "work", env={**env, "CONSUMER_DATABASE_URL": url, "CONSUMER_HANDLER": "support.ledgered:writes"}
    ) as program:
        queues.send({})
        program.wait_for("delivered", outcome="done")
        blocker = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        blocker.execute("BEGIN EXCLUSIVE")
        (name,) = queues.send({})
        program.wait_for("database_away")
        time.sleep(3)
        assert program.process.poll() is None
        blocker.execute("COMMIT")
        blocker.close()
        program.wait_for("delivered", 2, outcome="done")
        assert program.events("database_back")
        assert program.terminate() == 0
    assert effects.all().count(name) == 1
    effects.engine.dispose()


def test_without_a_ledger_a_session_is_refused_by_the_setting_s_name(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    queues.send({})
    once = {"CONSUMER_HANDLER": "support.ledgered:writes", "CONSUMER_MAX_ATTEMPTS": "1"}
    with Program(tmp_path, "work", env={**env, **once}) as program:
        program.wait_for("delivered", outcome="reject")
        assert "set CONSUMER_DATABASE_URL" in program.events("delivered")[0]["error"]
        assert program.terminate() == 0

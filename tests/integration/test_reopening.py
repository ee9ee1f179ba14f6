"""A dead letter that is sent back runs again: its row in the ledger is opened before it is sent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from consumer import cli
from consumer.message import database, schema
from consumer.message.deadletter import KEY_MAX, REASON_MAX, entry, explain
from consumer.message.ledger import Claim, Ledger
from consumer.message.message import Message
from consumer.message.outcome import Reject
from consumer.message.queue import counts
from support.programs import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.queues import Queues

TESTS = Path(__file__).parents[1]


class Scene:
    """A queue with a ledger, in which messages die."""

    def __init__(self, queues: Queues, url: str) -> None:
        self.queues = queues
        self.engine = database.engine(url, 1)
        schema.migrate(self.engine)
        self.ledger = Ledger(self.engine, queues.url.rpartition("/")[2], 1000)

    def die(self, name: str, key: str) -> None:
        claim = self.ledger.claim(key, name, "digest", 90, "me")
        assert isinstance(claim, Claim)
        assert self.ledger.failed(claim, "down")
        claim = self.ledger.claim(key, name, "digest", 90, "me")
        assert isinstance(claim, Claim)
        assert self.ledger.dead(claim, "no such order")
        made = entry(Message(name, "", text="{}"), Reject("no such order", key=key), 2, fifo=False)
        self.queues.sqs.send_message(QueueUrl=self.queues.dlq_url, **made.request)

    def row(self, key: str) -> Any:
        return self.ledger.look_up(key)


@pytest.fixture
def scene(queues: Queues, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    for name in list(os.environ):
        if name.startswith("CONSUMER_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr("consumer.desk.hand.POLL", 0)  # this server's empty answer is always true
    monkeypatch.setenv("CONSUMER_QUEUE_URL", queues.url)
    monkeypatch.setenv("CONSUMER_DATABASE_URL", database_url)
    made = Scene(queues, database_url)
    yield made
    made.engine.dispose()


@pytest.mark.parametrize("chosen", [["m1"], ["--all"], ["--all", "--reason", "no such"]])
def test_what_is_sent_back_is_open_whatever_id_it_comes_back_under(scene: Scene, chosen: list[str]) -> None:
    scene.die("m1", key="order-7")
    assert cli.main(["failed", "retry", *chosen]) == 0
    row = scene.row("order-7")
    assert (row.state, row.failures, row.redrives, row.fence, row.reason) == ("open", 0, 1, 2, "no such order")
    again = scene.ledger.claim("order-7", "m1", "digest", 90, "me")
    assert isinstance(again, Claim)
    assert (again.attempt, again.fence) == (1, 3)


def test_only_the_letters_asked_for_are_opened(scene: Scene) -> None:
    scene.die("m1", key="m1")
    scene.die("m2", key="m2")
    assert cli.main(["failed", "retry", "m2"]) == 0
    assert (scene.row("m1").state, scene.row("m2").state) == ("dead", "open")


def test_a_retry_that_is_killed_before_it_sends_loses_nothing_and_its_repetition_is_one_redrive(scene: Scene) -> None:
    scene.die("m1", key="order-7")
    command = [sys.executable, "-m", "support.breaking", "send_message", "before", "1", "failed", "retry", "m1"]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert scene.row("order-7").state == "open"
    wait_until(lambda: counts(scene.queues.sqs, scene.queues.dlq_url).visible, "the letter is there again")
    assert scene.queues.left == 0
    assert cli.main(["failed", "retry", "m1"]) == 0
    assert scene.queues.left == 1
    assert scene.row("order-7").redrives == 1


def test_what_has_been_done_meanwhile_under_the_same_key_stays_done(scene: Scene) -> None:
    scene.die("m1", key="order-7")
    other = scene.ledger.claim("order-7", "m2", "digest", 90, "me")
    assert isinstance(other, Claim)
    assert scene.ledger.done(other)
    assert cli.main(["failed", "retry", "m1"]) == 0
    assert scene.row("order-7").state == "done"


def test_where_the_ledger_does_not_answer_nothing_is_sent(
    queues: Queues, scene: Scene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.die("m1", key="order-7")
    monkeypatch.setenv("CONSUMER_DATABASE_URL", "postgresql://user:secret@127.0.0.1:1/ledger")
    assert cli.main(["failed", "retry", "m1"]) == 1
    said = capsys.readouterr().err
    assert "stopped: the ledger: expected an answer of its database" in said
    assert "secret" not in said
    (line,) = said.splitlines()
    assert line.isprintable()
    assert "\N{REPLACEMENT CHARACTER}" not in line
    assert "Background" not in line
    assert (queues.left, counts(queues.sqs, queues.dlq_url).visible) == (0, 1)


@pytest.mark.parametrize("key", ["", "m1", "order-7", "k" * 256, "\N{PILE OF POO}" * 256])
def test_a_letter_bears_its_key_where_that_is_not_its_id_and_finds_room(key: str) -> None:
    reason = explain(Message("m1", ""), Reject("r" * 5000, KeyError("e" * 5000), key=key), 1)
    assert len(reason) <= REASON_MAX
    bears = key not in ("", "m1") and len(json.dumps(key)) <= KEY_MAX
    assert json.loads(reason).get("key", "") == (key if bears else "")

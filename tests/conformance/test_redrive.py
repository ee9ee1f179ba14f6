"""A dead message that is moved back runs again, whoever moves it and however the ledger knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumer import cli
from consumer.message.queue import attributes
from support.handlers import notes
from support.programs import Program, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from support.queues import Queues


def by_hand(queues: Queues) -> None:
    """Receive, send, delete."""
    answer = queues.sqs.receive_message(QueueUrl=queues.dlq_url, WaitTimeSeconds=5, MessageAttributeNames=["All"])
    (one,) = answer["Messages"]
    queues.sqs.send_message(QueueUrl=queues.url, MessageBody=one["Body"])
    queues.sqs.delete_message(QueueUrl=queues.dlq_url, ReceiptHandle=one["ReceiptHandle"])


def by_command(_: Queues) -> None:
    assert cli.main(["failed", "retry", "--all", "--newer-than", "1d"]) == 0


def by_server(queues: Queues) -> None:
    source, target = (attributes(queues.sqs, url, "QueueArn")["QueueArn"] for url in (queues.dlq_url, queues.url))
    queues.sqs.start_message_move_task(SourceArn=source, DestinationArn=target)


WAYS = {"embedded": [by_hand, by_command], "localstack": [by_hand, by_command, by_server]}


@pytest.mark.parametrize(
    ("server", "key"),
    [
        ("embedded", "until_mended_by_order"),
        ("localstack", "until_mended_by_order"),
        ("localstack", "until_mended"),  # by the message id
    ],
)
def test_a_dead_message_that_is_moved_back_runs_again(
    key: str, server: str, queues: Queues, env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that has been moved back may die again, and be moved back again, each time in another way."""
    monkeypatch.setenv("CONSUMER_QUEUE_URL", queues.url)
    ledgered = {
        "CONSUMER_DATABASE_URL": f"sqlite:///{tmp_path / 'ledger.db'}",
        "CONSUMER_HANDLER": f"support.ledgered:{key}",
    }
    queues.send({"order": "a"})
    with Program(tmp_path, "work", env={**env, **ledgered}) as program:
        ways = [*WAYS[server], by_hand]
        for deaths, move in enumerate(ways, 1):
            program.wait_for("delivered", deaths, outcome="reject", cause="rejected")
            wait_until(lambda: queues.left == 0, "the message is dead")
            if deaths == len(ways):
                (tmp_path / "mended").touch()
            move(queues)
        program.wait_for("delivered", outcome="done")
        assert program.terminate() == 0
        assert not program.events("delivered", cause="dead_already")
        assert {one["attempt"] for one in program.events("delivered")} == {1}
    assert len(notes(tmp_path / "books", "end")) == 1
    assert queues.left == 0

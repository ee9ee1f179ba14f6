"""One process, `consumer work`, on each server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from support.handlers import notes
from support.programs import Program
from support.queues import Queues
from support.servers import LOCALSTACK

if TYPE_CHECKING:
    from pathlib import Path


def test_each_way_that_a_delivery_ends_is_told_to_the_queue(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    """The last one outlasts its lease, and then the drain: it runs once, and is given back."""
    done, failing, asked, rejected, slow = queues.send(
        {}, {"then": "fail_once"}, {"then": "retry"}, {"then": "reject"}, {"until_stopping": 60, "sleep": 60}
    )
    quick = {"CONSUMER_VISIBILITY_TIMEOUT": "3", "CONSUMER_HEARTBEAT_INTERVAL": "1", "CONSUMER_CONCURRENCY": "5"}
    with Program(tmp_path, "work", env={**env, **quick, "CONSUMER_STOP_TIMEOUT": "12"}) as program:
        program.wait_for("delivered", message_id=done, outcome="done")
        program.wait_for("delivered", message_id=failing, outcome="retry")
        program.wait_for("delivered", message_id=failing, outcome="done")
        program.wait_for("delivered", 3, message_id=asked, outcome="retry", cause="asked")
        program.wait_for("delivered", message_id=rejected, outcome="reject")
        assert program.terminate() == 0
        assert program.events("delivered", message_id=slow, outcome="release")
    (dead,) = queues.dead()
    assert json.loads(dead["MessageAttributes"]["ConsumerReject"]["StringValue"])["reason"] == "not an order"
    assert [one["count"] for one in notes(tmp_path / "books", "begin") if one["id"] == slow] == [1]
    assert queues.left == 2
    assert queues.counts().visible >= 1


@LOCALSTACK
def test_a_fifo_queue_is_drained_in_order_within_its_groups(
    sqs_server: str, env: dict[str, str], tmp_path: Path
) -> None:
    """Side by side, and the first of one group fails once: those behind it wait."""
    assert sqs_server
    queues = Queues.create(fifo=True)
    ids: dict[str, list[str]] = {"a": [], "b": [], "c": []}
    for number in range(9):
        group = "abc"[number % 3]
        body = '{"then": "fail_once"}' if number == 0 else '{"sleep": 0.1}'
        sent: Any = {"MessageGroupId": group, "MessageDeduplicationId": str(number), "MessageBody": body}
        ids[group].append(queues.sqs.send_message(QueueUrl=queues.url, **sent)["MessageId"])
    several = {"CONSUMER_QUEUE_URL": queues.url, "CONSUMER_CONCURRENCY": "3"}
    with Program(tmp_path, "work", env={**env, **several}) as program:
        program.wait_for("delivered", 9, outcome="done")
        assert program.terminate() == 0
    ends = notes(tmp_path / "books")
    assert {group: [one["id"] for one in ends if one["group"] == group] for group in ids} == ids
    assert queues.left == 0

"""Whatever is in the queue: the process lives, and every message is handled or dead with a reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from support.nasty import ATTRIBUTES, MIB, bodies
from support.programs import Program, wait_until
from support.queues import Queues
from support.servers import EMBEDDED, LOCALSTACK

if TYPE_CHECKING:
    from pathlib import Path

SEED = 20_261_121
ONCE = {"CONSUMER_MAX_ATTEMPTS": "1", "CONSUMER_LIMIT": "0", "CONSUMER_CONCURRENCY": "4"}
BROKEN = ("delivery_broken", "loop_broken", "left_behind", "settle_failed", "database_away", "thread_died")


def drained(queues: Queues, ids: set[str], folder: Path, env: dict[str, str]) -> None:
    """Run one process until each message has had its end; prove that nothing else has happened."""

    def ends() -> list[dict[str, Any]]:
        return [one for one in program.events("delivered") if one["cause"] != "elsewhere"]  # beside another of its key

    with Program(folder, "work", env={**ONCE, **env}) as program:
        wait_until(lambda: program.process.poll() is not None or len(ends()) >= len(ids), "each message has an end", 90)
        assert program.process.poll() is None, program.tail()
        wait_until(lambda: queues.left == 0, "the queue is empty")
        assert program.terminate() == 0
    assert [one for name in BROKEN for one in program.events(name)] == []
    assert sorted(one["message_id"] for one in ends()) == sorted(ids)
    assert {one["outcome"] for one in ends()} == {"done", "reject"}
    rejected = [one for one in ends() if one["outcome"] == "reject"]
    assert all(one["reason"] for one in rejected)
    assert len(queues.all_dead()) == len(rejected)


@EMBEDDED
def test_any_body_is_handled_or_dead_with_a_reason(queues: Queues, env: dict[str, str], tmp_path: Path) -> None:
    ids = fed(queues, bodies(SEED, 200))
    drained(queues, ids, tmp_path, {**env, "CONSUMER_HANDLER": "support.fuzzed:shows"})


@EMBEDDED
def test_any_envelope_is_handled_or_dead_with_a_reason(queues: Queues, env: dict[str, str], tmp_path: Path) -> None:
    inner = bodies(SEED + 1, 100)
    ids = fed(queues, inner + [json.dumps({"Message": f'{{"detail": {text}}}'}) for text in inner])
    wrapped = {"CONSUMER_HANDLER": "support.fuzzed:shows", "CONSUMER_ENVELOPE": "sns,eventbridge"}
    drained(queues, ids, tmp_path, {**env, **wrapped})


@EMBEDDED
def test_any_body_can_be_kept_in_the_ledger_and_be_its_key(
    queues: Queues, env: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    ids = fed(queues, bodies(SEED + 2, 100))
    ledgered = {"CONSUMER_HANDLER": "support.fuzzed:named_by_its_body", "CONSUMER_DATABASE_URL": database_url}
    drained(queues, ids, tmp_path, {**env, **ledgered})


@LOCALSTACK
def test_bodies_of_a_mebibyte(sqs_server: str, env: dict[str, str], tmp_path: Path) -> None:
    assert sqs_server
    queues = Queues.create()
    for url in (queues.url, queues.dlq_url):
        queues.sqs.set_queue_attributes(QueueUrl=url, Attributes={"MaximumMessageSize": str(MIB)})
    texts = ["x" * MIB, '"' + "x" * (MIB - 2) + '"', "[" * MIB, "9" * MIB, '{"a":"' + "é" * (MIB // 2 - 4) + '"}']
    ids = set(queues.send(*texts * 3))
    every = {**env, "CONSUMER_QUEUE_URL": queues.url, "CONSUMER_HANDLER": "support.fuzzed:shows"}
    drained(queues, ids, tmp_path, {**every, "CONSUMER_VISIBILITY_TIMEOUT": "30"})


@EMBEDDED
def test_an_answer_that_is_not_utf_8_ends_no_process(queues: Queues, env: dict[str, str], tmp_path: Path) -> None:
    spoiled = {**env, "CONSUMER_HANDLER": "support.fuzzed:shows", "GARBLED": "2", "CONSUMER_WAIT_TIME_SECONDS": "0"}
    with Program(tmp_path, "work", env=spoiled) as program:
        program.wait_for("queue_error", 2)
        queues.send(json.dumps({}))
        program.wait_for("delivered")
        assert program.terminate() == 0


def fed(queues: Queues, texts: list[str]) -> set[str]:
    """Send bodies, each with attributes in turn; give the messages' ids."""
    ids = set()
    for number, text in enumerate(texts):
        given: Any = ATTRIBUTES[number % len(ATTRIBUTES)]
        answer = queues.sqs.send_message(QueueUrl=queues.url, MessageBody=text or "{", MessageAttributes=given)
        ids.add(answer["MessageId"])
    return ids

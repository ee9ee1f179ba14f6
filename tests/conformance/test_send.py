from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, cast

import pytest

from consumer.clock import Clock
from consumer.desk.lines import Line, read
from consumer.desk.sender import Sender
from consumer.message import client
from support.servers import EMBEDDED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_sqs import SQSClient


class Target:
    """A queue of this test's own."""

    def __init__(self, name: str) -> None:
        self.sqs = client.control()
        attributes: Any = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        self.url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def bodies(self) -> list[str]:
        found: list[str] = []
        while some := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", []):
            found += [one["Body"] for one in some]
            for one in some:
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=one["ReceiptHandle"])
        return found


@pytest.fixture
def target(sqs_server: str, request: pytest.FixtureRequest) -> Iterator[Target]:
    assert sqs_server
    target = Target(f"send-{abs(hash(request.node.name))}")
    yield target
    target.sqs.delete_queue(QueueUrl=target.url)


@pytest.fixture
def fifo(sqs_server: str) -> Iterator[Target]:
    assert sqs_server
    target = Target("send.fifo")
    yield target
    target.sqs.delete_queue(QueueUrl=target.url)


def send(*arguments: str, stdin: bytes = b"", queue: str = "") -> subprocess.CompletedProcess[bytes]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CONSUMER_")}
    environ |= {"CONSUMER_QUEUE_URL": queue} if queue else {}
    command = [sys.executable, "-m", "consumer", "send", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, env=environ, timeout=60, check=False)


def test_a_file_goes_to_the_queue_word_for_word(target: Target, tmp_path: Path) -> None:
    bodies = [json.dumps({"order_id": f"é-{number}", "space": "  "}, ensure_ascii=False) for number in range(23)]
    path = tmp_path / "orders.jsonl"
    path.write_text("\n".join(bodies) + "\n")
    done = send(str(path), queue=target.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"sent 23, failed 0\n", b"")
    assert sorted(target.bodies()) == sorted(bodies)


@EMBEDDED
def test_a_queue_may_be_named(target: Target) -> None:
    done = send("-", "--queue", target.url.rpartition("/")[2], "--json", stdin=b"1\n2\n")
    assert json.loads(done.stdout) == {"sent": 2, "failed": 0, "stopped": "", "failures": []}
    assert sorted(target.bodies()) == ["1", "2"]


@EMBEDDED
def test_nothing_is_sent_of_a_file_with_a_bad_line(target: Target, tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"
    path.write_text("1\n2\n{oops\n4\n")
    done = send(str(path), queue=target.url)
    assert (done.returncode, done.stdout) == (1, b"sent 0, failed 1\n")
    assert b"line 3: not JSON" in done.stderr
    assert target.bodies() == []


@EMBEDDED
def test_stdin_is_sent_up_to_its_first_bad_line(target: Target) -> None:
    bodies = [str(number) for number in range(1, 16)]
    done = send("-", "--json", stdin="\n".join([*bodies, "{oops", "17"]).encode(), queue=target.url)
    assert done.returncode == 1
    result = json.loads(done.stdout)
    assert (result["sent"], result["failed"], result["failures"][0]["line"]) == (15, 1, 16)
    assert sorted(target.bodies(), key=int) == bodies


@EMBEDDED
def test_only_the_failed_entries_of_a_batch_are_sent_again(target: Target) -> None:
    class Flaky:
        """Keeps entry 3 from the queue twice, as SQS does when one of its machines fails."""

        faults = 2

        def send_message_batch(self, QueueUrl: str, Entries: list[Any]) -> Any:  # noqa: N803 - boto3's
            kept = [entry for entry in Entries if entry["Id"] == "3" and self.faults]
            self.faults -= bool(kept)
            others = [entry for entry in Entries if entry not in kept]
            done: Any = target.sqs.send_message_batch(QueueUrl=QueueUrl, Entries=others) if others else {}
            failed = [{"Id": entry["Id"], "Code": "InternalError", "SenderFault": False} for entry in kept]
            return {"Successful": done.get("Successful", []), "Failed": failed}

    lines = [Line(number, str(number)) for number in range(1, 11)]
    result = Sender(cast("SQSClient", Flaky()), target.url, Clock()).send(lines)
    assert (len(result.sent), result.failed) == (10, {})
    assert sorted(target.bodies(), key=int) == [str(number) for number in range(1, 11)]


def test_a_server_with_a_smaller_batch_limit_gets_smaller_batches(target: Target) -> None:
    lines = list(read(b'"%s"\n' % (b"x" * 100_000) for _ in range(6)))
    result = Sender(target.sqs, target.url, Clock()).send(lines)
    assert (len(result.sent), result.failed, result.stopped) == (6, {}, "")


def test_a_fifo_queue_keeps_the_order_of_the_file(fifo: Target) -> None:
    bodies = [str(number % 3) for number in range(12)]
    done = send("-", "--group-id", "all", stdin="\n".join(bodies).encode(), queue=fifo.url)
    assert done.stdout == b"sent 12, failed 0\n"
    assert fifo.bodies() == bodies


@EMBEDDED
@pytest.mark.parametrize(
    ("arguments", "queue", "says"),
    [
        (["-"], "", "CONSUMER_QUEUE_URL: expected a queue's URL or name; got none"),
        (["-"], "orders.fifo", "--group-id: expected a message group"),
        (["-", "--group-id", "a", "--delay", "3"], "orders.fifo", "--delay: expected none"),
        (["-"], "no-such-queue", "expected a queue to send to; got NonExistentQueue"),
        (["no-such-file"], "orders", "expected a file of lines"),
    ],
)
def test_a_request_that_makes_no_sense_is_an_error_for_people(
    arguments: list[str], queue: str, says: str, sqs_server: str
) -> None:
    assert sqs_server
    done = send(*arguments, stdin=b"1\n", queue=queue)
    assert done.returncode == 64
    assert says in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert b"To do: " in done.stderr

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from botocore.exceptions import ReadTimeoutError

from consumer import cli
from consumer.clock import Clock
from consumer.message import client
from consumer.message.deadletter import entry
from consumer.message.message import Message
from consumer.message.outcome import Reject
from consumer.message.queue import attributes, counts
from support.breaking import HIDDEN, Breaking
from support.programs import wait_until
from support.queues import Queues
from support.servers import EMBEDDED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_sqs import SQSClient

TESTS = Path(__file__).parents[1]
COUNT = 14  # two receives
ONE_BY_ONE = ("retry", "--all", "--newer-than", "1d")  # without a filter the server is asked to move them all
POINTS = [
    (verb, when, nth)
    for verb, nth in (("receive_message", 2), ("send_message", 12), ("delete_message", 12))
    for when in ("before", "after")
]


@pytest.fixture(autouse=True)
def named(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("CONSUMER_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CONSUMER_QUEUE_URL", queues.url)


def die(queues: Queues, *bodies: object, error: Exception | None = None) -> None:
    """Put messages into the dead-letter queue as a consumer does."""
    for number, body in enumerate(bodies):
        raw = {"tenant": {"DataType": "String", "StringValue": "t1"}, "n": {"DataType": "Number", "StringValue": "7"}}
        message = Message(f"m{number}", body, receive_count=5, text=json.dumps(body), raw_attributes=raw)
        made = entry(message, Reject("no such order", error), 5, fifo=False)
        queues.sqs.send_message(QueueUrl=queues.dlq_url, **made.request)


def taken(queues: Queues, url: str) -> Iterator[dict[str, Any]]:
    """Take all messages of a queue."""
    while some := queues.sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
    ).get("Messages", []):
        for one in some:
            queues.sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
            yield dict(one)


def whereabouts(queues: Queues) -> tuple[list[int], list[int]]:
    """Give the numbers of the messages in the queue and in the dead-letter queue, once none is hidden any more.

    What a killed process held, or the queue was just handing out, is hidden for a while.
    """
    wait_until(lambda: not counts(queues.sqs, queues.dlq_url).in_flight, "nothing of the dead-letter queue is hidden")
    back, dead = ([json.loads(one["Body"]) for one in taken(queues, url)] for url in (queues.url, queues.dlq_url))
    return back, dead


class Ran(NamedTuple):
    """How a run of the command ended, and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """The command in this process."""
    monkeypatch.setattr("consumer.desk.hand.POLL", 0)  # this server's empty answer is always true

    def call(*arguments: str) -> Ran:
        return Ran(cli.main(["failed", *arguments]), *capsys.readouterr())

    return call


def broken(monkeypatch: pytest.MonkeyPatch, verb: str, when: str, nth: int) -> None:
    """Have Ctrl-C come at a call."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    for name in ("control", "receiver", "once"):
        real = getattr(client, name)
        monkeypatch.setattr(client, name, lambda *given, real=real: Breaking(real(*given), verb, when, nth, interrupt))


@EMBEDDED
def test_a_send_whose_answer_is_lost_is_made_once_and_named(
    queues: Queues, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Ran]
) -> None:
    die(queues, *range(3))
    requests: list[object] = []

    def lose(**_: object) -> None:
        requests.append(1)
        raise ReadTimeoutError(endpoint_url=queues.url)

    def losing(url: str) -> SQSClient:
        made = once(url)
        made.meta.events.register("before-send.sqs.SendMessage", lose)  # inside the client: below its own retries
        return made

    once = client.once
    monkeypatch.setattr(client, "once", losing)
    ran = run(*ONE_BY_ONE, "--json")
    told = json.loads(ran.out)
    assert (ran.code, len(requests), told["retried"], len(told["in_both"])) == (1, 1, 0, 1)
    assert "no answer to its send" in told["in_both"][0]["error"]


@EMBEDDED
@pytest.mark.parametrize(("verb", "when", "nth"), POINTS)
def test_whatever_ctrl_c_interrupts_each_message_is_in_one_queue_or_the_other(
    verb: str, when: str, nth: int, queues: Queues, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    die(queues, *range(COUNT))
    with monkeypatch.context() as patched:
        patched.setattr("consumer.desk.hand.SHORT", HIDDEN)
        patched.setattr("consumer.desk.hand.MARGIN", HIDDEN // 2)
        broken(patched, verb, when, nth)
        assert cli.main(["failed", "retry", "--all", "--json"]) == 130
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert "interrupted" in printed.err
    assert ("was just handing out" in printed.err) == (verb == "receive_message")
    back, dead = whereabouts(queues)
    assert sorted({*back, *dead}) == list(range(COUNT))
    unknown = (verb, when) == ("send_message", "after")
    assert len(back) + len(dead) == COUNT + unknown
    assert (len(told["in_both"]) == 1) == (verb == "send_message")
    assert len(back) == told["retried"] + unknown


@EMBEDDED
@pytest.mark.parametrize(("verb", "when", "nth"), POINTS)
def test_wherever_it_is_killed_each_message_is_in_one_queue_or_the_other(
    verb: str, when: str, nth: int, queues: Queues
) -> None:
    die(queues, *range(COUNT))
    command = [sys.executable, "-m", "support.breaking", verb, when, str(nth), "failed", "retry", "--all"]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    back, dead = whereabouts(queues)
    assert sorted({*back, *dead}) == list(range(COUNT))
    between = (verb, when) in (("send_message", "after"), ("delete_message", "before"))
    assert len(back) + len(dead) == COUNT + between


@EMBEDDED
@pytest.mark.parametrize(
    "action", [["list"], ["remove", "--all", "--reason", "another"], ["retry", "--all", "--dry-run"]]
)
def test_ctrl_c_in_a_look_gives_all_back_at_once(
    action: list[str], queues: Queues, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    die(queues, *range(COUNT))
    with monkeypatch.context() as patched:
        broken(patched, "receive_message", "before", 3)
        assert cli.main(["failed", *action]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert counts(queues.sqs, queues.dlq_url).visible == COUNT


@EMBEDDED
def test_ctrl_c_at_the_terminal_leaves_with_130_and_says_what_is_where(queues: Queues) -> None:
    die(queues, *range(COUNT))
    command = [sys.executable, "-m", "consumer", "failed", "retry", "--all", "--rate", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not queues.counts().visible and process.poll() is None:
        Clock().block(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "stopped: interrupted; what is not sent back is in the dead-letter queue" in err
    back, dead = whereabouts(queues)
    assert out == f"sent back {len(back)}\n"
    assert sorted([*back, *dead]) == list(range(COUNT))


@EMBEDDED
def test_thousands_are_looked_at_once_each_and_all_are_given_back(queues: Queues, run: Callable[..., Ran]) -> None:
    for start in range(0, 2000, 10):
        entries: Any = [{"Id": str(number), "MessageBody": f"body {number}"} for number in range(start, start + 10)]
        queues.sqs.send_message_batch(QueueUrl=queues.dlq_url, Entries=entries)
    done = run("list", "--json")
    assert (done.code, done.err, "body" in done.out) == (0, "", False)
    ids = [one["id"] for one in json.loads(done.out)["messages"]]
    assert len(ids) == len(set(ids)) == 2000
    found = counts(queues.sqs, queues.dlq_url)
    assert (found.visible, found.in_flight) == (2000, 0)


def test_a_message_goes_back_as_it_was(queues: Queues, run: Callable[..., Ran]) -> None:
    die(queues, {"order": "é"}, error=KeyError("order"))
    done = run("retry", "m0", "--json")
    assert done.code == 0
    (one,) = json.loads(done.out)["messages"]
    (back,) = taken(queues, queues.url)
    assert (one["message_id"], one["new_id"]) == ("m0", back["MessageId"])
    assert back["Body"] == json.dumps({"order": "é"})
    assert {name: (value["DataType"], value["StringValue"]) for name, value in back["MessageAttributes"].items()} == {
        "tenant": ("String", "t1"),
        "n": ("Number", "7"),
    }
    assert whereabouts(queues) == ([], [])


def test_a_dead_letter_that_sqs_has_made_is_sent_back(
    sqs_server: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sqs_server
    queues = Queues.create(redrive=False)
    arn = attributes(queues.sqs, queues.dlq_url, "QueueArn")["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "1"})
    queues.sqs.set_queue_attributes(QueueUrl=queues.url, Attributes={"RedrivePolicy": policy})
    monkeypatch.setenv("CONSUMER_QUEUE_URL", queues.url)
    (name,) = queues.send({"order": 1})
    for _ in range(2):
        queues.sqs.receive_message(QueueUrl=queues.url, VisibilityTimeout=0)
    (listed,) = json.loads(run("list", "--json").out)["messages"]
    assert (listed["id"], listed["message_id"], listed["attempt"]) == (name, name, None)
    assert run(*ONE_BY_ONE).out == "sent back 1\n"
    assert run("list").out == "0 failed\n"
    assert [one["Body"] for one in taken(queues, queues.url)] == ['{"order": 1}']


def test_a_fifo_queue_s_messages_go_back_in_order_and_in_their_groups(
    sqs_server: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sqs_server
    queues = Queues.create(fifo=True)
    monkeypatch.setenv("CONSUMER_QUEUE_URL", queues.url)
    for number in range(23):  # what the queue has seen within the last minutes must come through all the same
        queues.sqs.send_message(
            QueueUrl=queues.url, MessageBody=str(number), MessageGroupId="g", MessageDeduplicationId=str(number)
        )
        answer = queues.sqs.receive_message(QueueUrl=queues.url, MessageSystemAttributeNames=["All"])
        message = Message.of(answer["Messages"][0], 0)
        queues.sqs.send_message(QueueUrl=queues.dlq_url, **entry(message, Reject("x"), 1, fifo=True).request)
        queues.sqs.delete_message(QueueUrl=queues.url, ReceiptHandle=message.receipt_handle)
    looked = run("list")
    assert looked.out.endswith("10 failed\n")
    assert "not seen: about 13 behind others of their groups" in looked.err
    assert run("retry", "--all").out == "sent back 23\n"
    back = list(taken(queues, queues.url))
    assert [one["Body"] for one in back] == [str(number) for number in range(23)]
    assert {one["Attributes"]["MessageGroupId"] for one in back} == {"g"}


def test_filters_choose_what_is_listed_sent_back_and_removed(queues: Queues, run: Callable[..., Ran]) -> None:
    die(queues, *range(3), error=KeyError("id"))
    die(queues, *range(3, 5), error=TimeoutError("late"))
    stats = json.loads(run("list", "--stats", "--json").out)["stats"]
    assert Counter({one["error"]: one["count"] for one in stats}) == {"KeyError": 3, "TimeoutError": 2}
    assert run("list", "--older-than", "1h").out == "0 failed\n"
    assert run("remove", "--all", "--error", "TimeoutError", "--dry-run").out.endswith("would be removed: 2\n")
    assert run("remove", "--all", "--error", "TimeoutError").out == "removed 2\n"
    assert run("retry", "--all", "--reason", "NO such", "--newer-than", "1h").out == "sent back 3\n"
    back, dead = whereabouts(queues)
    assert (sorted(back), dead) == ([0, 1, 2], [])


def test_show_prints_the_body_and_gives_the_message_back(queues: Queues, run: Callable[..., Ran]) -> None:
    die(queues, {"order": "\x1b[2Jé"}, error=KeyError("order"))
    done = run("show", "m0")
    assert '"order": "\\u001b[2Jé"' in done.out
    assert "KeyError" in done.out
    assert json.loads(json.loads(run("show", "m0", "--json").out)["body"]) == {"order": "\x1b[2Jé"}
    assert counts(queues.sqs, queues.dlq_url).visible == 1
    assert run("show", "nobody").code == 1


@pytest.mark.parametrize(
    ("arguments", "queue", "code", "says"),
    [
        (["list"], "", 64, "CONSUMER_QUEUE_URL: expected a queue's URL or name; got none"),
        (["retry"], "orders", 64, "expected message ids, or --all; got neither"),
        (["remove", "--all", "x"], "orders", 64, "expected message ids, or --all; got both"),
        (["list"], "no-such-queue", 1, "expected an answer of the queue; got NonExistentQueue"),
    ],
)
def test_a_request_that_makes_no_sense_is_an_error_for_people(
    arguments: list[str], queue: str, code: int, says: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSUMER_QUEUE_URL", queue)
    done = run(*arguments)
    assert (done.code, done.out) == (code, "")
    assert says in done.err
    assert "To do: " in done.err
    assert "Traceback" not in done.err


def test_a_queue_without_a_dead_letter_queue_is_an_error_for_people(queues: Queues, run: Callable[..., Ran]) -> None:
    os.environ["CONSUMER_QUEUE_URL"] = queues.dlq_url  # put back by the fixture
    done = run("list")
    assert done.code == 64
    assert "the dead-letter queue: expected one for" in done.err

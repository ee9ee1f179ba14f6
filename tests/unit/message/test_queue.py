"""What is asked of SQS, word for word; how a real server answers is for the integration tests."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from consumer.message import client
from consumer.message.outcome import Reject
from consumer.message.queue import Queue, counts
from unit.doubles import message, refusal, settings, wire

if TYPE_CHECKING:
    from consumer.testing import FakeClock

URL = "https://sqs.eu-west-1.amazonaws.com/1/orders"


class FakeClient:
    """Notes its calls; `answers` holds what they give."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {}
        self.gate: threading.Event | None = None
        self.held = threading.Event()

    def __getattr__(self, verb: str) -> Any:
        def call(**request: Any) -> Any:
            self.calls.append((verb, request))
            if self.gate:
                self.held.set()
                self.gate.wait(20)
            answer = self.answers.get(verb, {})
            if isinstance(answer, Exception):
                raise answer
            return answer(request) if callable(answer) else answer

        return call


class Wire:
    """A queue and the three clients that it makes."""

    def __init__(self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, **given: Any) -> None:
        self.receiver, self.control, self.leases = FakeClient(), FakeClient(), FakeClient()
        fakes: list[Any] = [self.receiver, self.control, self.leases]
        made = client.Clients(*fakes)
        monkeypatch.setattr(client, "of_process", lambda *_: made)
        self.queue = Queue(settings(**given), clock)


@pytest.fixture
def line(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Wire:
    return Wire(clock, monkeypatch)


async def test_a_receive_asks_for_no_more_than_ten_and_passes_the_lease_and_the_poll(line: Wire) -> None:
    line.receiver.answers["receive_message"] = {"Messages": [wire("m1"), wire("m2")]}
    messages = await line.queue.receive(25)
    assert [one.id for one in messages] == ["m1", "m2"]
    assert messages[0].received == 1_700_001_000.0
    assert line.receiver.calls == [
        ("receive_message", {
            "QueueUrl": URL, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20, "VisibilityTimeout": 90,
            "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"],
        }),
    ]  # fmt: skip
    await line.queue.receive(1)
    assert line.receiver.calls[-1][1]["MaxNumberOfMessages"] == 1


async def test_an_empty_answer_is_no_messages(line: Wire) -> None:
    assert await line.queue.receive(1) == []


@pytest.mark.parametrize(("seconds", "asked"), [(0, 0), (0.2, 1), (22.5, 23), (90, 90), (1e9, 43_200)])
async def test_sqs_is_asked_for_whole_seconds_rounded_up_and_twelve_hours_at_most(
    line: Wire, seconds: float, asked: int
) -> None:
    await line.queue.delay(message(), seconds)
    await line.queue.extend(message(), seconds)
    wanted = (
        "change_message_visibility",
        {"QueueUrl": URL, "ReceiptHandle": "handle-m1-1", "VisibilityTimeout": asked},
    )
    assert line.control.calls == [wanted]
    assert line.leases.calls == [wanted]  # a client of its own: no other verb delays a lease


async def test_messages_are_given_back_together_and_those_refused_are_named(line: Wire) -> None:
    messages = [message(f"m{number}") for number in range(10)]
    line.control.answers["change_message_visibility_batch"] = {
        "Failed": [{"Id": "1", "Code": "ReceiptHandleIsInvalid"}]
    }
    assert [one.id for one in await line.queue.release(messages)] == ["m1"]
    ((_, request),) = line.control.calls
    entries = request["Entries"]
    assert [entry["ReceiptHandle"] for entry in entries] == [f"handle-m{number}-1" for number in range(10)]
    assert {entry["VisibilityTimeout"] for entry in entries} == {0}


async def test_where_the_reason_is_too_much_for_the_dead_letter_queue_the_message_goes_without_it(line: Wire) -> None:
    def takes_less(request: dict[str, Any]) -> dict[str, Any]:
        if "ConsumerReject" in request["MessageAttributes"]:
            raise refusal("InvalidParameterValue")
        return {}

    line.control.answers["send_message"] = takes_less
    assert not await line.queue.dead_letter(message(), Reject("x"), 1)
    assert len(line.control.calls) == 2
    line.control.answers["send_message"] = refusal("AccessDenied")
    with pytest.raises(ClientError):
        await line.queue.dead_letter(message(), Reject("x"), 1)
    assert len(line.control.calls) == 3


async def test_the_dead_letter_queue_is_found_in_the_redrive_policy(line: Wire) -> None:
    policy = {"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:42:orders-dead", "maxReceiveCount": 50}
    line.control.answers = {
        "get_queue_attributes": {"Attributes": {"RedrivePolicy": json.dumps(policy)}},
        "get_queue_url": lambda request: {
            "QueueUrl": f"https://sqs/{request['QueueOwnerAWSAccountId']}/{request['QueueName']}"
        },
    }
    assert await line.queue.open()
    assert line.queue.dlq_url == "https://sqs/42/orders-dead"


async def test_without_a_redrive_policy_there_is_no_dead_letter_queue(line: Wire) -> None:
    await line.queue.open()
    assert line.queue.dlq_url == ""


async def test_names_are_looked_up_and_urls_taken_as_they_are(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Wire(clock, monkeypatch, queue_url="orders", dlq_url="dead.fifo")
    line.control.answers["get_queue_url"] = lambda request: {"QueueUrl": "https://sqs/1/" + request["QueueName"]}
    await line.queue.open()
    assert (line.queue.url, line.queue.dlq_url) == ("https://sqs/1/orders", "https://sqs/1/dead.fifo")
    await line.queue.dead_letter(message(MessageGroupId="g"), Reject("x"), 1)
    verb, request = line.control.calls[-1]
    assert (verb, request["QueueUrl"], request["MessageGroupId"]) == ("send_message", "https://sqs/1/dead.fifo", "g")
    assert json.loads(request["MessageAttributes"]["ConsumerReject"]["StringValue"])["queue"] == "orders"


async def test_in_a_hurry_a_call_that_hangs_holds_up_nothing(line: Wire) -> None:
    line.control.gate = threading.Event()
    hanging = asyncio.ensure_future(line.queue.delete(message("m1")))
    assert await asyncio.get_running_loop().run_in_executor(None, line.control.held.wait, 20)
    line.queue.hurry()
    await line.queue.delete(message("m2"))
    assert [request["ReceiptHandle"] for _, request in line.leases.calls] == ["handle-m2-1"]
    assert not hanging.done()
    line.control.gate.set()
    await hanging


def test_counts_that_are_missing_are_none(line: Wire) -> None:
    line.control.answers["get_queue_attributes"] = {"Attributes": {"ApproximateNumberOfMessages": "3"}}
    sqs: Any = line.control
    found = counts(sqs, "orders")
    assert (found.visible, found.in_flight, found.delayed) == (3, 0, 0)


async def test_a_slash_behind_the_queue_s_url_belongs_to_no_name(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Wire(clock, monkeypatch, queue_url=f"{URL}/", dlq_url=f"{URL}-dlq/")
    await line.queue.open()
    assert (line.queue.url, line.queue.dlq_url) == (URL, f"{URL}-dlq")

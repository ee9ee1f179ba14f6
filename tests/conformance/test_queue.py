"""The SQS verbs against a real server."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from consumer.clock import Clock
from consumer.message.outcome import Reject
from consumer.message.queue import Queue
from consumer.message.trouble import Trouble, trouble
from consumer.settings import Settings
from support.programs import wait_until
from support.queues import Queues
from support.servers import LOCALSTACK

if TYPE_CHECKING:
    from consumer.message.message import Message


def opened(queues: Queues, **changes: Any) -> Queue:
    settings = Settings(
        queue_url=queues.url, handler="a:b", wait_time_seconds=1, visibility_timeout=10, heartbeat_interval=3, **changes
    )
    return Queue(settings, Clock())


async def received(queue: Queue, count: int = 1) -> list[Message[str]]:
    messages: list[Message[str]] = []
    while len(messages) < count:
        some = await queue.receive(count - len(messages))
        assert some, f"only {len(messages)} of {count} came"
        messages += some
    return messages


@pytest.mark.parametrize("address", ["127.0.0.2", "::1"])
def test_the_server_listens_on_one_address_alone(sqs_server: str, address: str) -> None:
    with pytest.raises(OSError):  # noqa: PT011 - refused, or no such address here
        socket.create_connection((address, int(sqs_server.rpartition(":")[2])), timeout=2)


async def test_a_receive_takes_as_many_as_asked_for_and_no_more(queues: Queues) -> None:
    queues.send(*range(5))
    assert len(await opened(queues).receive(2)) == 2
    found = queues.counts()
    assert (found.visible, found.in_flight) == (3, 2)


async def test_more_than_ten_free_slots_ask_for_ten(queues: Queues) -> None:
    queues.send(*range(12))
    assert len(await opened(queues).receive(50)) <= 10


async def test_a_message_carries_all_that_sqs_says_of_it(queues: Queues) -> None:
    attributes: Any = {
        "kind": {"DataType": "String", "StringValue": "report"},
        "size": {"DataType": "Number", "StringValue": "7"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    before = time.time()
    queues.sqs.send_message(QueueUrl=queues.url, MessageBody='{"a": 1}', MessageAttributes=attributes)
    (message,) = await received(opened(queues))
    assert message.attributes == {"kind": "report", "size": "7", "raw": b"\x00\xff"}
    assert message.text == '{"a": 1}'
    assert message.receive_count == 1
    assert abs(message.sent - before) < 30
    assert message.received >= message.first_received - 1


async def test_the_lease_is_passed_on_every_receive_and_can_be_extended(queues: Queues) -> None:
    queues.send({})
    queue = opened(queues)
    (message,) = await received(queue)
    await queue.extend(message, 60)
    assert queues.counts().in_flight == 1
    await queue.delay(message, 0)
    (again,) = await received(queue)
    assert again.id == message.id
    assert again.receive_count == 2


async def test_a_delay_of_part_of_a_second_is_not_none(queues: Queues) -> None:
    queues.send({})
    queue = opened(queues)
    (message,) = await received(queue)
    await queue.delay(message, 0.2)
    assert queues.counts().visible == 0


async def test_messages_are_given_back_together(queues: Queues) -> None:
    queues.send(*range(10))
    queue = opened(queues)
    messages = await received(queue, 10)
    assert await queue.release(messages) == []
    assert queues.counts().visible == 10


async def test_what_cannot_be_given_back_is_named(queues: Queues) -> None:
    queues.send(1, 2)
    queue = opened(queues)
    first, second = await received(queue, 2)
    await queue.delete(first)
    refused = await queue.release([first, second])
    assert [one.id for one in refused] == [first.id]


async def test_a_dead_letter_is_the_message_with_a_reason(queues: Queues) -> None:
    attributes: Any = {"kind": {"DataType": "String", "StringValue": "report"}}
    queues.sqs.send_message(QueueUrl=queues.url, MessageBody="body", MessageAttributes=attributes)
    queue = opened(queues)
    await queue.open()
    (message,) = await received(queue)
    assert await queue.dead_letter(message, Reject("no such order", ValueError("x")), 3)
    await queue.delete(message)
    (dead,) = queues.dead()
    assert dead["Body"] == "body"
    assert dead["MessageAttributes"]["kind"]["StringValue"] == "report"
    reason = json.loads(dead["MessageAttributes"]["ConsumerReject"]["StringValue"])
    assert (reason["reason"], reason["error"], reason["attempt"]) == ("no such order", "ValueError", 3)
    assert reason["message_id"] == message.id
    assert queues.left == 0


async def test_a_queue_is_found_by_its_name_and_its_dead_letter_queue_by_its_policy(queues: Queues) -> None:
    named = Queues(queues.sqs, queues.url.rpartition("/")[2], "")
    queue = opened(named)
    await queue.open()
    assert (queue.url, queue.dlq_url) == (queues.url, queues.dlq_url)


async def test_without_a_policy_there_is_no_dead_letter_queue_unless_one_is_named(sqs_server: str) -> None:
    assert sqs_server
    bare = Queues.create(redrive=False)
    queue = opened(bare)
    await queue.open()
    assert queue.dlq_url == ""
    queue = opened(bare, dlq_url=bare.dlq_url.rpartition("/")[2])
    await queue.open()
    assert queue.dlq_url == bare.dlq_url


async def test_a_fifo_queue_keeps_order_and_groups_into_the_dead_letter_queue(sqs_server: str) -> None:
    assert sqs_server
    queues = Queues.create(fifo=True)
    for number in (1, 2):
        queues.sqs.send_message(
            QueueUrl=queues.url, MessageBody=str(number), MessageGroupId="orders", MessageDeduplicationId=str(number)
        )
    queue = opened(queues)
    await queue.open()
    (message,) = await received(queue)
    assert (message.text, message.group_id, message.deduplication_id) == ("1", "orders", "1")
    assert await queue.receive(1) == [], "its group waits"
    await queue.dead_letter(message, Reject("no"), 1)
    await queue.delete(message)
    (second,) = await received(queue)
    assert second.text == "2"
    answer: Any = queues.sqs.receive_message(QueueUrl=queues.dlq_url, MessageSystemAttributeNames=["All"])
    (dead,) = answer["Messages"]
    assert dead["Attributes"]["MessageGroupId"] == "orders"
    assert dead["Attributes"]["MessageDeduplicationId"] == message.id


async def test_errors_are_told_apart_by_their_code(queues: Queues) -> None:
    gone = opened(Queues(queues.sqs, queues.url + "-gone", ""))
    with pytest.raises(Exception, match="NonExistentQueue") as refused:
        await gone.receive(1)
    assert trouble(refused.value) is Trouble.REFUSED
    queues.send({})
    queue = opened(queues)
    (message,) = await received(queue)
    await queue.delete(message)
    with pytest.raises(Exception, match=r"ReceiptHandleIsInvalid|InvalidParameterValue") as lost:
        await queue.extend(message, 10)
    assert trouble(lost.value) is Trouble.HANDLE


@LOCALSTACK
async def test_on_a_fifo_queue_nothing_is_deleted_by_a_handle_that_has_expired(sqs_server: str) -> None:
    assert sqs_server
    queues = Queues.create(fifo=True)
    sent: Any = {"MessageBody": "1", "MessageGroupId": "g", "MessageDeduplicationId": "1"}
    queues.sqs.send_message(QueueUrl=queues.url, **sent)
    queue = opened(queues)
    (message,) = await received(queue)
    await queue.delay(message, 1)
    wait_until(lambda: queues.counts().visible, "the lease lapses")
    with pytest.raises(Exception, match="expired") as lost:
        await queue.delete(message)
    assert trouble(lost.value) is Trouble.HANDLE
    assert queues.left == 1


async def test_a_lapsed_lease_hands_the_message_out_again_and_counts_it(queues: Queues) -> None:
    queues.send({})
    queue = opened(queues)
    (message,) = await received(queue)
    await queue.delay(message, 1)
    wait_until(lambda: queues.counts().visible, "the lease lapses")
    (again,) = await received(queue)
    assert (again.id, again.receive_count) == (message.id, 2)
    assert again.receipt_handle != message.receipt_handle


async def test_a_long_poll_ends_as_soon_as_there_is_a_message(queues: Queues) -> None:
    queue = opened(queues)
    poll = asyncio.ensure_future(queue.receive(1))
    await asyncio.sleep(0.3)
    queues.send({})
    assert len(await poll) == 1


async def test_a_message_received_too_often_is_moved_by_the_server(sqs_server: str) -> None:
    assert sqs_server
    queues = Queues.create(receives=2)
    (name,) = queues.send({})
    queue = opened(queues)
    for _ in range(2):
        (message,) = await received(queue)
        await queue.delay(message, 0)
    assert await queue.receive(1) == []
    assert [one["MessageId"] for one in queues.dead()] == [name]


async def test_a_process_that_must_leave_is_not_held_by_a_call_that_hangs(queues: Queues) -> None:
    queues.send({})
    queue = opened(queues)
    (message,) = await received(queue)
    hung = queue._settle.run(lambda: time.sleep(60))
    queue.hurry()
    await queue.delete(message)
    assert not hung.done()
    assert queues.left == 0

"""The known differences between the servers and SQS are what the table says: one that disappears is noticed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from consumer.message.queue import attributes
from consumer.message.trouble import code
from support.differences import DIFFERENCES, page
from support.programs import wait_until
from support.queues import Queues

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"
KIB = 1024


def said(call: Callable[[], Any], well: str) -> str:
    """Make a call; give what came of it in a few words."""
    try:
        call()
    except ClientError as error:
        return f"refused ({code(error)})"
    return well


def received(queues: Queues, url: str = "", **options: Any) -> Any:
    """Receive one message."""
    asked: Any = {"WaitTimeSeconds": 5, "MessageSystemAttributeNames": ["All"], **options}
    (one,) = queues.sqs.receive_message(QueueUrl=url or queues.url, **asked)["Messages"]
    return one


def move_task() -> str:
    queues = Queues.create()
    before = queues.sqs.send_message(QueueUrl=queues.dlq_url, MessageBody="1")["MessageId"]
    source, target = (attributes(queues.sqs, url, "QueueArn")["QueueArn"] for url in (queues.dlq_url, queues.url))
    done = said(lambda: queues.sqs.start_message_move_task(SourceArn=source, DestinationArn=target), "")
    if done:
        return done
    return "moved, its message id " + ("kept" if received(queues)["MessageId"] == before else "new")


def source_queues() -> str:
    queues = Queues.create()
    return said(lambda: queues.sqs.list_dead_letter_source_queues(QueueUrl=queues.dlq_url), "named")


def moved_by_sqs() -> str:
    queues = Queues.create(receives=1)
    queues.send(1)
    for _ in range(2):
        queues.sqs.receive_message(QueueUrl=queues.url, VisibilityTimeout=0)
    found = received(queues, queues.dlq_url)["Attributes"]
    return "named" if "DeadLetterQueueSourceArn" in found else "not named"


def expired_in_fifo() -> tuple[Queues, dict[str, Any]]:
    """Receive a message of a FIFO queue and let its lease lapse; give what names it in a call."""
    queues = Queues.create(fifo=True)
    sent: Any = {"MessageBody": "1", "MessageGroupId": "g", "MessageDeduplicationId": "1"}
    queues.sqs.send_message(QueueUrl=queues.url, **sent)
    handle = received(queues, VisibilityTimeout=1)["ReceiptHandle"]
    wait_until(lambda: queues.counts().visible, "the lease lapses")
    return queues, {"QueueUrl": queues.url, "ReceiptHandle": handle}


def late_delete() -> str:
    queues, named = expired_in_fifo()
    return said(lambda: queues.sqs.delete_message(**named), "deleted")


def late_renewal() -> str:
    queues, named = expired_in_fifo()
    return said(lambda: queues.sqs.change_message_visibility(**named, VisibilityTimeout=9), "taken")


def deduplication_after_the_delete() -> str:
    queues = Queues.create(fifo=True)
    sent: Any = {"MessageBody": "1", "MessageGroupId": "g", "MessageDeduplicationId": "1"}
    queues.sqs.send_message(QueueUrl=queues.url, **sent)
    queues.sqs.delete_message(QueueUrl=queues.url, ReceiptHandle=received(queues)["ReceiptHandle"])
    queues.sqs.send_message(QueueUrl=queues.url, **sent)
    return "delivered again" if queues.left else "swallowed"


def renewal_of_a_deleted_message() -> str:
    queues = Queues.create()
    queues.send(1)
    both: Any = {"QueueUrl": queues.url, "ReceiptHandle": received(queues)["ReceiptHandle"]}
    queues.sqs.delete_message(**both)
    return said(lambda: queues.sqs.change_message_visibility(**both, VisibilityTimeout=9), "taken")


def over_twelve_hours() -> str:
    queues = Queues.create()
    queues.send(1)
    both: Any = {"QueueUrl": queues.url, "ReceiptHandle": received(queues)["ReceiptHandle"]}
    return said(lambda: queues.sqs.change_message_visibility(**both, VisibilityTimeout=43_201), "taken")


def big_body() -> str:
    queues = Queues.create()
    bigger: Any = {"MaximumMessageSize": str(KIB * KIB)}

    def sending() -> None:
        queues.sqs.set_queue_attributes(QueueUrl=queues.url, Attributes=bigger)
        queues.send("x" * 257 * KIB)

    return said(sending, "taken")


def group_of_a_standard_queue() -> str:
    queues = Queues.create()
    return said(lambda: queues.sqs.send_message(QueueUrl=queues.url, MessageBody="1", MessageGroupId="tenant"), "taken")


def control_character() -> str:
    queues = Queues.create()
    return said(lambda: queues.send("\x00"), "taken")


def class_of_an_error() -> str:
    queues = Queues.create()
    try:
        queues.sqs.send_message(QueueUrl=queues.url + "-gone", MessageBody="1")
    except ClientError as error:
        return type(error).__name__
    return "no error"


PROBES = {
    "StartMessageMoveTask": move_task,
    "ListDeadLetterSourceQueues": source_queues,
    "DeadLetterQueueSourceArn on a message that SQS itself has moved": moved_by_sqs,
    "FIFO: a delete by a handle that has expired": late_delete,
    "FIFO: a renewal by a handle that has expired": late_renewal,
    "FIFO: a deduplication id whose message is deleted": deduplication_after_the_delete,
    "renewal of a deleted message": renewal_of_a_deleted_message,
    "a visibility timeout of over 12 h": over_twelve_hours,
    "a body of 257 KiB, MaximumMessageSize being 1 MiB": big_body,
    "MessageGroupId on a standard queue": group_of_a_standard_queue,
    "U+0000 in a body": control_character,
    "boto3's class for an unknown queue": class_of_an_error,
}


def test_every_difference_has_its_probe() -> None:
    assert list(PROBES) == [one.feature for one in DIFFERENCES]


@pytest.mark.usefixtures("sqs_server")
@pytest.mark.parametrize("feature", PROBES)
def test_a_server_does_what_the_table_says(feature: str, server: str) -> None:
    (known,) = (one for one in DIFFERENCES if one.feature == feature)
    assert PROBES[feature]() == known.on(server)


def test_a_difference_is_one() -> None:
    assert all({one.embedded, one.localstack} != {one.sqs} for one in DIFFERENCES)


def test_the_page_says_what_the_tests_assert() -> None:
    assert page() == PAGE.read_text(), "run scripts/conformance-page"

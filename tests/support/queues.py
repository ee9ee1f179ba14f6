"""Queues of one test."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from consumer.message import client
from consumer.message.queue import Counts, counts

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass
class Queues:
    """A queue with a dead-letter queue, and how a test looks at them."""

    sqs: SQSClient
    url: str
    dlq_url: str

    @classmethod
    def create(cls, *, fifo: bool = False, redrive: bool = True, receives: int = 50, **attributes: str) -> Queues:
        sqs = client.control()
        name, end = f"orders-{uuid.uuid4().hex[:8]}", ".fifo" if fifo else ""
        kind: Any = {"FifoQueue": "true"} if fifo else {}
        dlq = sqs.create_queue(QueueName=f"{name}-dlq{end}", Attributes=kind)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=dlq, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": str(receives)})
        every: Any = kind | ({"RedrivePolicy": policy} if redrive else {}) | attributes
        return cls(sqs, sqs.create_queue(QueueName=f"{name}{end}", Attributes=every)["QueueUrl"], dlq)

    def send(self, *bodies: object) -> list[str]:
        """Send bodies as JSON (texts as they are); return the message ids."""
        return [
            self.sqs.send_message(QueueUrl=self.url, MessageBody=body if isinstance(body, str) else json.dumps(body))[
                "MessageId"
            ]
            for body in bodies
        ]

    def counts(self) -> Counts:
        return counts(self.sqs, self.url)

    @property
    def left(self) -> int:
        """How many messages are not done yet, wherever they are."""
        found = self.counts()
        return found.visible + found.in_flight + found.delayed

    def dead(self) -> list[dict[str, Any]]:
        """Take what is in the dead-letter queue."""
        answer = self.sqs.receive_message(
            QueueUrl=self.dlq_url, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]
        )
        return [dict(one) for one in answer.get("Messages", [])]

    def all_dead(self) -> list[dict[str, Any]]:
        """Take everything out of the dead-letter queue."""
        found: list[dict[str, Any]] = []
        while some := self.sqs.receive_message(
            QueueUrl=self.dlq_url, MaxNumberOfMessages=10, VisibilityTimeout=600, MessageAttributeNames=["All"]
        ).get("Messages"):
            found += [dict(one) for one in some]
        return found

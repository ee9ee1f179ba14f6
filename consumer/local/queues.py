"""The demo's queue and its dead-letter queue: made for one run, looked at, and taken away afterwards."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from consumer.errors import ConsumerError
from consumer.message import client
from consumer.message.deadletter import ATTRIBUTE
from consumer.message.queue import BATCH, Counts, attributes, counts
from consumer.message.trouble import code

if TYPE_CHECKING:
    from consumer.clock import Clock

MAX_RECEIVES = "50"  # the queue's own limit is only the backstop: a message given back counts as received too
HIDE = 300  # seconds for which a message is hidden by being counted


class Queues:
    """The two queues. Raises ConsumerError when they cannot be made."""

    def __init__(self, clock: Clock) -> None:
        name = f"consumer-demo-{clock.time() * 1000:.0f}"  # SQS: a name rests for a minute once its queue is deleted
        try:
            self.sqs = client.control()
            self.dead_url = self.sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
            arn = attributes(self.sqs, self.dead_url, "QueueArn")["QueueArn"]
            policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVES})
            self.url = self.sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"]
        except (ClientError, BotoCoreError) as error:
            raise ConsumerError(
                f"expected a queue server that makes two queues; got {code(error)}: {error}. To do: unset "
                "AWS_ENDPOINT_URL_SQS to use the embedded server, or check your own server, region and credentials."
            ) from error

    def counts(self) -> Counts:
        """Ask for the queue's counts."""
        return counts(self.sqs, self.url)

    def remaining(self) -> tuple[set[str], int]:
        """Name the orders still in the queue, and count those that are hidden and cannot be named."""
        now = self.counts()
        named = {order_id for order_id, _ in self._take(self.url, now.visible)}
        return named, max(0, now.visible + now.in_flight + now.delayed - len(named))

    def dead(self) -> dict[str, str]:
        """Name the orders in the dead-letter queue, each with its reason."""
        return dict(self._take(self.dead_url, counts(self.sqs, self.dead_url).visible))

    def remove(self) -> None:
        """Take the queues away; a server that is gone has done so itself."""
        for url in (self.url, self.dead_url):
            with suppress(ClientError, BotoCoreError):
                self.sqs.delete_queue(QueueUrl=url)

    def _take(self, url: str, expected: int) -> list[tuple[str, str]]:
        taken: list[tuple[str, str]] = []
        while len(taken) < expected:
            messages = self.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=BATCH,
                VisibilityTimeout=HIDE,
                MessageAttributeNames=["All"],
                WaitTimeSeconds=1,
            ).get("Messages", [])
            if not messages:  # the counts are approximate
                break
            taken += [(json.loads(one["Body"])["order_id"], _reason(one)) for one in messages]
        return taken


def _reason(message: Any) -> str:  # noqa: ANN401 - the wire's own shape
    words = message.get("MessageAttributes", {}).get(ATTRIBUTE, {}).get("StringValue", "{}")
    return str(json.loads(words).get("reason", ""))

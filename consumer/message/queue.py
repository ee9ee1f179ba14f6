"""The SQS verbs. Each is a coroutine; its blocking call has a lane of its own kind, so that none delays another's."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from consumer.lane import Lane
from consumer.limits import VISIBILITY_MAX
from consumer.message import client
from consumer.message.deadletter import Entry, entry
from consumer.message.message import Message
from consumer.message.trouble import Trouble, trouble

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_sqs import SQSClient

    from consumer.clock import Clock
    from consumer.message.outcome import Reject
    from consumer.settings import Settings

BATCH = 10  # SQS: messages per call


@dataclass(frozen=True, slots=True)
class Counts:
    """A queue's approximate counts; SQS may lag a minute behind."""

    visible: int
    in_flight: int
    delayed: int


class Queue:
    """One queue and its dead-letter queue."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.url = settings.queue_url
        self.dlq_url = settings.dlq_url
        self._settings = settings
        self._clock = clock
        self._hurried = False
        width = threads(settings)
        self._poll = Lane("poll")
        self._renew = Lane("lease", width)
        self._settle = Lane("settle", width)

    @cached_property
    def _clients(self) -> client.Clients:
        return clients(self._settings)  # at the first call, so that what is wrong with them is an error of that call

    @property
    def _control(self) -> SQSClient:
        return self._clients.hurried if self._hurried else self._clients.control

    async def open(self) -> bool:
        """Look up the queue's URL where a name was given, and the dead-letter queue where none was; return True."""
        await self._settle.run(self._open)
        return True

    def _open(self) -> None:
        self.url = locate(self._control, self.url)
        self.dlq_url = locate_dlq(self._control, self.url, self.dlq_url)

    async def receive(self, count: int) -> list[Message[str]]:
        """Take up to so many messages, ten at most; wait for the first one as long as the long poll lasts.

        Of a FIFO queue one, however many there is room for: several in one answer would be of one group, and run side
        by side. SQS itself holds a group's next message back while one of it is in flight.
        """
        settings, clock = self._settings, self._clock
        most = min(count, 1 if self.url.endswith(".fifo") else BATCH)
        wait, hidden = settings.wait_time_seconds, settings.visibility_timeout
        return await self._poll.run(
            lambda: receive(self._clients.receiver, self.url, clock, most, wait=wait, hidden=hidden)
        )

    async def extend(self, message: Message[Any], seconds: float) -> None:
        """Keep a message hidden for so many seconds from now."""
        await self._renew.run(lambda: self._hide(self._clients.hurried, message, seconds))

    async def delay(self, message: Message[Any], seconds: float) -> None:
        """Have a message visible again after so many seconds."""
        await self._settle.run(lambda: self._hide(self._control, message, seconds))

    async def release(self, messages: Sequence[Message[Any]]) -> list[Message[Any]]:
        """Give one receive's messages back at once; return those that the queue would not take back."""
        handles = [(one.receipt_handle, 0) for one in messages]
        refused = await self._settle.run(lambda: hide_each(self._control, self.url, handles))
        return [messages[index] for index in refused]

    async def delete(self, message: Message[Any]) -> None:
        """Delete a message: it is done."""
        await self._settle.run(
            lambda: self._control.delete_message(QueueUrl=self.url, ReceiptHandle=message.receipt_handle)
        )

    async def dead_letter(self, message: Message[Any], reject: Reject, attempt: int) -> bool:
        """Send a message to the dead-letter queue; return whether the reason could travel with it."""
        name = self.url.rpartition("/")[2]
        sent = entry(message, reject, attempt, fifo=self.dlq_url.endswith(".fifo"), queue=name)
        try:
            await self._send(sent)
        except ClientError as error:
            if not sent.with_reason or trouble(error) is not Trouble.HANDLE:
                raise
            sent = sent.bare()  # a queue may be set to take smaller messages than SQS does
            await self._send(sent)
        return sent.with_reason

    async def _send(self, dead: Entry) -> None:
        await self._settle.run(lambda: self._control.send_message(QueueUrl=self.dlq_url, **dead.request))

    def hurry(self) -> None:
        """From now on be quick or give up: the process must leave. A call that hangs is left behind in its lane."""
        self._hurried = True
        self._settle = Lane("settle-last", self._settle.threads)

    def _hide(self, sqs: SQSClient, message: Message[Any], seconds: float) -> None:
        timeout = min(math.ceil(seconds), VISIBILITY_MAX)  # SQS takes whole seconds; 0 would be no wait at all
        sqs.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=message.receipt_handle, VisibilityTimeout=timeout
        )


def clients(settings: Settings) -> client.Clients:
    """Give a process's clients; called before the fork, it makes them for all processes."""
    return client.of_process(settings.queue_url, settings.wait_time_seconds, threads(settings))


def threads(settings: Settings) -> int:
    """Give how many calls of one kind may be under way at once."""
    return min(4, settings.concurrency)


def locate(sqs: SQSClient, name: str, account: str = "") -> str:
    """Give a queue's URL; a URL is taken as it is, but for a slash behind it: its last word is the queue's name."""
    if "://" in name:
        return name.rstrip("/")
    owner: Any = {"QueueOwnerAWSAccountId": account} if account else {}
    return sqs.get_queue_url(QueueName=name, **owner)["QueueUrl"]


def locate_dlq(sqs: SQSClient, url: str, name: str = "") -> str:
    """Give the URL of a queue's dead-letter queue, the one named or else the RedrivePolicy's; "" when it has none."""
    if name:
        return locate(sqs, name)
    policy = attributes(sqs, url, "RedrivePolicy").get("RedrivePolicy")
    if not policy:
        return ""
    *_, account, name = json.loads(policy)["deadLetterTargetArn"].split(":")
    return locate(sqs, name, account)


def attributes(sqs: SQSClient, url: str, *names: Any) -> dict[str, str]:  # noqa: ANN401 - literals of the stubs
    """Read a queue's attributes."""
    return {
        str(name): value
        for name, value in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names).get("Attributes", {}).items()
    }


def counts(sqs: SQSClient, url: str) -> Counts:
    """Read a queue's counts."""
    prefix = "ApproximateNumberOfMessages"
    found = attributes(sqs, url, prefix, prefix + "NotVisible", prefix + "Delayed")
    return Counts(*(int(found.get(prefix + which, 0)) for which in ("", "NotVisible", "Delayed")))


def receive(sqs: SQSClient, url: str, clock: Clock, count: int, *, wait: int, hidden: int) -> list[Message[str]]:
    """Take up to so many messages, with all that SQS knows of them; wait: seconds of the poll; hidden: of the lease."""
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=count,
        WaitTimeSeconds=wait,
        VisibilityTimeout=hidden,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    now = clock.time()
    return [Message.of(wire, now) for wire in answer.get("Messages", [])]


def hide_each(sqs: SQSClient, url: str, handles: Sequence[tuple[str, int]]) -> dict[int, str]:
    """Hide up to ten messages, each by its receipt handle and for so many seconds from now; 0 gives one back.

    Returns the error's code for each that was refused, by its place.
    """
    entries: Any = [
        {"Id": str(index), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
        for index, (handle, seconds) in enumerate(handles)
    ]
    answer = sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)
    return {int(failure["Id"]): failure["Code"] for failure in answer.get("Failed", [])}

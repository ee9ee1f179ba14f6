"""A queue and its dead-letter queue in memory, with visibility by a fake clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from consumer.desk.deadletters import DeadLetters
from unit.doubles import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_sqs import SQSClient

    from consumer.testing import FakeClock

URL = "https://sqs.eu-west-1.amazonaws.com/1/orders"
DLQ = URL + "-dead"


@dataclass
class Stored:
    """A message as the server keeps it."""

    id: str
    body: str
    attributes: dict[str, Any]
    system: dict[str, str]
    visible_at: float = 0.0
    receives: int = 0


@dataclass
class StandinSqs:
    """Answers what `consumer failed` asks. `refusals[verb]`: what its next calls raise, None being nothing."""

    clock: FakeClock
    url: str = URL
    dlq_url: str = DLQ
    dead: dict[str, Stored] = field(default_factory=dict)
    alive: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    described: list[str] = field(default_factory=list)  # the queues whose attributes were asked for
    refusals: dict[str, list[BaseException | None]] = field(default_factory=dict)
    dlq_attributes: dict[str, str] = field(default_factory=dict)
    sources: list[str] | None = None  # None: the server knows no move
    tasks: list[dict[str, Any]] = field(default_factory=list)
    when_sent: Callable[[], None] = lambda: None

    def letters(self) -> DeadLetters:
        sqs = cast("SQSClient", self)
        return DeadLetters(sqs, sqs, sqs, self.clock, self.url, self.dlq_url)

    def die(self, name: str, attributes: dict[str, Any] | None = None, **system: str) -> None:
        """Put a message into the dead-letter queue."""
        known = {"SentTimestamp": str(int(self.clock.time() * 1000))} | system
        self.dead[name] = Stored(name, f"body of {name}", attributes or {}, known)

    def visible(self) -> set[str]:
        return {one.id for one in self.dead.values() if one.visible_at <= self.clock.monotonic()}

    def _called(self, verb: str) -> None:
        self.calls.append(verb)
        waiting = self.refusals.get(verb, [])
        if waiting and (error := waiting.pop(0)) is not None:
            raise error

    def get_queue_attributes(self, QueueUrl: str, AttributeNames: list[str]) -> Any:  # noqa: N803 - boto3's
        self.described.append(QueueUrl)
        known = {"QueueArn": f"arn:aws:sqs:eu-west-1:1:{QueueUrl.rpartition('/')[2]}"}
        if QueueUrl == self.dlq_url:
            known |= {"ApproximateNumberOfMessages": str(len(self.visible())), **self.dlq_attributes}
        return {"Attributes": {name: known[name] for name in AttributeNames if name in known}}

    def receive_message(self, QueueUrl: str, VisibilityTimeout: int, **_: Any) -> Any:  # noqa: N803
        assert QueueUrl == self.dlq_url
        self._called("receive")
        now = self.clock.monotonic()
        page = [one for one in self.dead.values() if one.visible_at <= now][:10]
        for one in page:
            one.visible_at, one.receives = now + VisibilityTimeout, one.receives + 1
        return {
            "Messages": [
                {
                    "MessageId": one.id,
                    "ReceiptHandle": f"{one.id}/{one.receives}",
                    "Body": one.body,
                    "Attributes": one.system | {"ApproximateReceiveCount": str(one.receives)},
                    "MessageAttributes": one.attributes,
                }
                for one in page
            ]
        }

    def change_message_visibility_batch(self, QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803
        assert QueueUrl == self.dlq_url
        self._called("change")
        failed = []
        for entry in Entries:
            name, _, receives = entry["ReceiptHandle"].rpartition("/")
            one = self.dead.get(name)
            if one is None or one.receives != int(receives):
                failed.append({"Id": entry["Id"], "Code": "ReceiptHandleIsInvalid"})
            else:
                one.visible_at = self.clock.monotonic() + entry["VisibilityTimeout"]
        return {"Failed": failed}

    def send_message(self, QueueUrl: str, **request: Any) -> Any:  # noqa: N803
        assert QueueUrl == self.url
        self._called("send")
        self.alive.append(request)
        self.when_sent()
        return {"MessageId": f"new-{len(self.alive)}"}

    def delete_message(self, QueueUrl: str, ReceiptHandle: str) -> None:  # noqa: N803
        assert QueueUrl == self.dlq_url
        self._called("delete")
        self.dead.pop(ReceiptHandle.rpartition("/")[0], None)

    def list_dead_letter_source_queues(self, QueueUrl: str) -> Any:  # noqa: N803
        assert QueueUrl == self.dlq_url
        if self.sources is None:
            raise refusal("NotImplemented")
        return {"queueUrls": self.sources}

    def start_message_move_task(self, **request: Any) -> Any:
        self._called("move")
        assert request["DestinationArn"].endswith(":orders")
        assert request["SourceArn"].endswith(":orders-dead")
        self.rate = request.get("MaxNumberOfMessagesPerSecond")
        return {"TaskHandle": "t1"}

    def list_message_move_tasks(self, **_: Any) -> Any:
        self._called("look")
        return {"Results": [self.tasks.pop(0)] if self.tasks else []}

    def cancel_message_move_task(self, TaskHandle: str) -> Any:  # noqa: N803
        assert TaskHandle == "t1"
        self._called("cancel")
        return {"ApproximateNumberOfMessagesMoved": 12}


def of_the_message(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "SendMessage")

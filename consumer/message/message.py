"""One delivery as a frozen value. Standard library only: this is what users import."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)  # a bare `Message` is one of any body
else:
    from typing import TypeVar

    T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Message(Generic[T]):
    """A message as this process received it.

    id: SQS's message id, the same for every delivery of the message.
    body: the decoded body: a JSON value, text, or the handler's own type (`Message[Order]`).
    attributes: the message attributes by name; numbers and texts as str, binaries as bytes.
    receive_count: how often SQS has handed the message out (ApproximateReceiveCount); not the number of failures.
    sent, first_received, received: seconds since the epoch.
    group_id, deduplication_id, sequence_number: of FIFO queues (a group id also of fair queues).
    text: the body as SQS carries it.
    system: every system attribute as SQS names it.
    """

    id: str
    body: T
    attributes: Mapping[str, str | bytes] = field(default_factory=dict)
    receive_count: int = 1
    sent: float = 0.0
    first_received: float = 0.0
    received: float = 0.0
    group_id: str | None = None
    deduplication_id: str | None = None
    sequence_number: str | None = None
    text: str = field(default="", repr=False)
    system: Mapping[str, str] = field(default_factory=dict, repr=False)
    receipt_handle: str = field(default="", repr=False)
    raw_attributes: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, wire: Mapping[str, Any], now: float) -> Message[str]:
        """Read a message as ReceiveMessage returns it; `now` is the time of receipt."""
        system: dict[str, str] = wire.get("Attributes", {})
        raw: dict[str, Any] = wire.get("MessageAttributes", {})
        text = wire.get("Body", "")
        return Message(
            id=wire["MessageId"],
            body=text,
            attributes={name: one.get("StringValue", one.get("BinaryValue", "")) for name, one in raw.items()},
            receive_count=int(system.get("ApproximateReceiveCount", 1)),
            sent=int(system.get("SentTimestamp", 0)) / 1000,
            first_received=int(system.get("ApproximateFirstReceiveTimestamp", 0)) / 1000,
            received=now,
            group_id=system.get("MessageGroupId"),
            deduplication_id=system.get("MessageDeduplicationId"),
            sequence_number=system.get("SequenceNumber"),
            text=text,
            system=system,
            receipt_handle=wire["ReceiptHandle"],
            raw_attributes=raw,
        )

"""What is sent to the dead-letter queue: the message as it was, with the reason as one attribute."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from consumer.errors import text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.message.message import Message
    from consumer.message.outcome import Reject

ATTRIBUTE = "ConsumerReject"
ATTRIBUTES_MAX = 10  # SQS: message attributes per message
SIZE_MAX = 1024 * 1024  # SQS: body and attributes together
REASON_MAX = 2048
KEY_MAX = 1024  # bytes of a key as JSON; a longer one has no room beside the counts
QUEUE_MAX = 100  # of a queue's name as JSON; SQS allows 80 characters


@dataclass(frozen=True, slots=True)
class Entry:
    """A SendMessage request, and whether the reason found room in it."""

    request: dict[str, Any]
    with_reason: bool

    def bare(self) -> Entry:
        """Leave the reason out."""
        given = {name: one for name, one in self.request["MessageAttributes"].items() if name != ATTRIBUTE}
        return Entry({**self.request, "MessageAttributes": given}, with_reason=False)


def entry(message: Message[Any], reject: Reject, attempt: int, *, fifo: bool, queue: str = "") -> Entry:
    """Build the request for one message that a queue's consumer rejects: as it was, with the reason. Pure."""
    request = again(message, group=(message.group_id or message.id) if fifo else message.group_id)
    if fifo:
        request["MessageDeduplicationId"] = message.id
    reason = {"DataType": "String", "StringValue": explain(message, reject, attempt, queue)}
    everything = {**request["MessageAttributes"], ATTRIBUTE: reason}
    fits = len(everything) <= ATTRIBUTES_MAX and size(message.text, everything) <= SIZE_MAX
    return Entry({**request, "MessageAttributes": everything} if fits else request, fits)


def again(message: Message[Any], *, group: str | None) -> dict[str, Any]:
    """Build the request that sends a message as it was, without our reason: its attributes, its trace, its group."""
    given = {name: _sendable(one) for name, one in message.raw_attributes.items() if name != ATTRIBUTE}
    request: dict[str, Any] = {"MessageBody": message.text, "MessageAttributes": given}
    if group:
        request["MessageGroupId"] = group
    if trace := message.system.get("AWSTraceHeader"):
        request["MessageSystemAttributes"] = {"AWSTraceHeader": {"DataType": "String", "StringValue": trace}}
    return request


def explain(message: Message[Any], reject: Reject, attempt: int, queue: str = "") -> str:
    """Say why, as JSON of at most 2 KiB; the texts are cut, the counts never.

    queue: the name of the one that the message comes from. Several may have one dead-letter queue.
    """
    error = reject.error
    text = text_of(error) if error is not None else ""
    facts: dict[str, Any] = {
        "reason": reject.reason,
        "error": type(error).__qualname__ if error is not None else "",
        "text": text,
        "digest": hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16] if text else "",
        "message_id": message.id,
        "attempt": attempt,
        "receive_count": message.receive_count,
        "sent": message.sent,
    }
    if reject.key not in ("", message.id) and len(json.dumps(reject.key)) <= KEY_MAX:
        facts["key"] = reject.key
    if queue and len(json.dumps(queue)) <= QUEUE_MAX:
        facts["queue"] = queue

    def written(room: int) -> str:
        return json.dumps(facts | {name: facts[name][:room] for name in ("reason", "error", "text")})

    room = 600
    while len(written(room)) > REASON_MAX:
        room //= 2  # a character may take up to twelve bytes escaped
    return written(room)


def size(body: str, attributes: Mapping[str, Any]) -> int:
    """Count bytes as SQS does: the body, and each attribute's name, type and value."""
    total = _bytes(body)
    for name, one in attributes.items():
        value = one.get("StringValue", one.get("BinaryValue", b""))
        total += _bytes(name) + _bytes(one["DataType"]) + (_bytes(value) if isinstance(value, str) else len(value))
    return total


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))  # JSON may carry lone surrogates, in an attribute's name even


def _sendable(one: Mapping[str, Any]) -> dict[str, Any]:
    """Give a received attribute as SendMessage takes it."""
    return {key: value for key, value in one.items() if key in {"DataType", "StringValue", "BinaryValue"}}

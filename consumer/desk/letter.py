"""One dead letter: what it says of itself, whether it was asked for, and how it goes back. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from consumer.message.deadletter import ATTRIBUTE, again

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from consumer.message.message import Message

MOVED_BY_SQS = "moved by SQS: received more often than the queue's maxReceiveCount allows"
UNKNOWN = "unknown: no reason came with it"
DAY, HOUR, MINUTE = 86_400, 3_600, 60  # seconds


@dataclass(frozen=True, slots=True)
class Letter:
    """A message of the dead-letter queue.

    message_id: the id that it had in the queue, as in the log; `message.id` is the one that it has here.
    reason, error, text, digest, attempt, receive_count: as ConsumerReject says; "" and None where it does not.
    key: its name in the ledger. queue: the name of the one it was rejected from, where it says so.
    """

    message: Message[str]
    message_id: str
    reason: str
    error: str = ""
    text: str = ""
    digest: str = ""
    attempt: int | None = None
    receive_count: int | None = None
    key: str = ""
    queue: str = ""

    @classmethod
    def of(cls, message: Message[str]) -> Letter:
        """Read a dead letter.

        One that SQS itself has moved names its source queue. A ConsumerReject on it is of an earlier death: the
        server's own move sends messages back with all their attributes.
        """
        if "DeadLetterQueueSourceArn" in message.system:
            return cls(message, message.id, MOVED_BY_SQS, key=message.id)
        said = _said(message)
        if not said:
            return cls(message, message.id, UNKNOWN, key=message.id)
        message_id = _text(said, "message_id") or message.id
        return cls(
            message,
            message_id,
            _text(said, "reason") or UNKNOWN,
            _text(said, "error"),
            _text(said, "text"),
            _text(said, "digest"),
            _count(said, "attempt"),
            _count(said, "receive_count"),
            _text(said, "key") or message_id,
            _text(said, "queue"),
        )

    def is_from_another_queue(self, arn: str) -> bool:
        """Tell whether it came here from another queue than this one; one that does not say counts as this one's."""
        moved_from = self.message.system.get("DeadLetterQueueSourceArn", arn)
        return moved_from != arn or self.queue not in ("", arn.rpartition(":")[2])

    def public(self) -> dict[str, Any]:
        """Give what machines may read, without the body and the error's text, which may quote it."""
        return {
            "id": self.message.id,
            "message_id": self.message_id,
            "sent": self.message.sent,
            "reason": self.reason,
            "error": self.error,
            "digest": self.digest,
            "attempt": self.attempt,
            "receive_count": self.receive_count,
        }

    def whole(self) -> dict[str, Any]:
        """Give all of it, the body too."""
        message = self.message
        attributes = {
            name: {"type": message.raw_attributes[name]["DataType"], "value": _printable(value)}
            for name, value in message.attributes.items()
            if name != ATTRIBUTE
        }
        rest = {"group_id": message.group_id, "attributes": attributes, "body": message.text}
        return self.public() | {"text": self.text} | rest


def _said(message: Message[str]) -> Mapping[str, Any]:
    """Read ConsumerReject; what is not ours (any program may have sent the message) says nothing."""
    try:
        said = json.loads(message.attributes.get(ATTRIBUTE, ""))
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""


def _count(said: Mapping[str, Any], name: str) -> int | None:
    value = said.get(name)
    return value if isinstance(value, int) else None


def _printable(value: str | bytes) -> str:
    return value.hex() if isinstance(value, bytes) else value


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are asked for; an empty filter lets all through.

    ids: here or in the queue. reason: a part of it, in any case. error: the class's name. older, newer: seconds since
    the letter was sent.
    """

    ids: frozenset[str] = frozenset()
    reason: str = ""
    error: str = ""
    older: float | None = None
    newer: float | None = None

    @property
    def lets_all_through(self) -> bool:
        """Tell whether it is empty."""
        return self == Filter()

    def found(self, letter: Letter) -> set[str]:
        """Give the ids asked for that are the letter's."""
        return {letter.message.id, letter.message_id} & self.ids

    def lets_through(self, letter: Letter, now: float) -> bool:
        """Tell whether a letter is asked for."""
        age = now - letter.message.sent
        return (
            (not self.ids or bool(self.found(letter)))
            and self.reason.casefold() in letter.reason.casefold()
            and self.error in ("", letter.error)
            and (self.older is None or age >= self.older)
            and (self.newer is None or age <= self.newer)
        )


def request(letter: Letter, *, fifo: bool, from_fifo: bool) -> dict[str, Any]:
    """Build the SendMessage request that brings a letter back: the message as it was, without our reason.

    Its deduplication id is new to the queue, which would else swallow it within five minutes of the first send. It is
    the same for the same letter: a retry that was killed between send and delete and is repeated within five minutes
    makes no duplicate in a FIFO queue.
    """
    message = letter.message
    group = (
        None if from_fifo else message.group_id
    )  # of a fair queue; a FIFO dead-letter queue's groups were made up there
    made = again(message, group=(message.group_id or letter.message_id) if fifo else group)
    if fifo:
        made["MessageDeduplicationId"] = f"retry-{message.id}"
    return made


def statistics(letters: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Count letters by reason and error, the most frequent first."""
    kinds: dict[tuple[str, str], list[float]] = {}
    for one in letters:
        kinds.setdefault((one["reason"], one["error"]), []).append(one["sent"])
    made = [
        {"reason": reason, "error": error, "count": len(sent), "oldest": min(sent), "newest": max(sent)}
        for (reason, error), sent in kinds.items()
    ]
    return sorted(made, key=lambda one: (-one["count"], one["reason"], one["error"]))


def age(seconds: float) -> str:
    """Put an age into words: its two largest units."""
    left = max(0, int(seconds))
    if left >= DAY:
        return f"{left // DAY} d {left % DAY // HOUR} h"
    if left >= HOUR:
        return f"{left // HOUR} h {left % HOUR // MINUTE} min"
    return f"{left // MINUTE} min {left % MINUTE} s" if left >= MINUTE else f"{left} s"

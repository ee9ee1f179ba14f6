"""What happened, as facts: read from the database, the queues, the calls to the outside, the logs and the monkey."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

POISON = ("reject", "fails", "dies", "undecodable")


@dataclass(frozen=True, slots=True)
class Sent:
    """A message as it was put on the queue. Messages of one key are one piece of work, sent more than once."""

    message_id: str
    key: str
    kind: str

    @property
    def poison(self) -> bool:
        return self.kind in POISON


@dataclass(frozen=True, slots=True)
class Run:
    """A run of the handler, noted by itself when it made its call to the outside.

    life: pid and start of its process. planned: how it meant to end, which it knew at this moment.
    """

    run: str
    message_id: str
    key: str
    container: int
    process: str
    life: str
    planned: str
    at: float


@dataclass(frozen=True, slots=True)
class Effect:
    """A row that a handler wrote for its message, in the transaction that closes it."""

    key: str
    message_id: str
    run: str


@dataclass(frozen=True, slots=True)
class Row:
    """What the ledger says of a key."""

    state: str
    fence: int


@dataclass(frozen=True, slots=True)
class Dead:
    """A message in the dead-letter queue; `message_id` is the one it had before."""

    message_id: str
    reason: str
    at: float


@dataclass(slots=True)
class Fault:
    """Something done to the system, or, of kind "machine", seen to happen to it.

    container: the one it was aimed at; None for what all share. lives: processes that it met, by pid and start.
    hit: messages in hand, requests or connections that it met.
    """

    kind: str
    began: float
    ended: float = float("inf")
    container: int | None = None
    lives: tuple[str, ...] = ()
    hit: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a container's log. `process` is supervisord for PID 1."""

    container: int
    process: str
    event: str
    at: float
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class History:
    """Everything that the checker reads. left: messages still in the queue. codes: how containers left."""

    sent: list[Sent]
    runs: list[Run]
    effects: list[Effect]
    rows: dict[str, Row]
    dead: list[Dead]
    lines: list[Line] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    left: int = 0
    codes: dict[int, int] = field(default_factory=dict)


def read_runs(path: Path) -> list[Run]:
    """Read what the handlers have noted."""
    return [Run(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def read_log(container: int, path: Path) -> Iterator[Line]:
    """Read a container's log; what is no line of ours is left out."""
    for text in path.read_text(errors="replace").splitlines():
        try:
            facts = json.loads(text)
            at = datetime.fromisoformat(facts["timestamp"]).timestamp()
            yield Line(container, facts["process"], facts["event"], at, facts)
        except (ValueError, KeyError, TypeError):
            continue


def read_dead(wire: Iterable[dict[str, Any]]) -> list[Dead]:
    """Read what was received from the dead-letter queue."""
    found = []
    for one in wire:
        reason = json.loads(one["MessageAttributes"]["ConsumerReject"]["StringValue"])
        sent = int(one["Attributes"]["SentTimestamp"]) / 1000
        found.append(Dead(reason["message_id"], reason["reason"], sent))
    return found

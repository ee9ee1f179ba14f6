"""What the container's log says of its deliveries, read while it grows."""

from __future__ import annotations

import json
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

RATE_OVER = 10.0  # seconds


@dataclass(slots=True)
class Deliveries:
    """Counts by outcome, and the times of the first receive and the last delete. Times are seconds since the epoch."""

    outcomes: Counter[str] = field(default_factory=Counter)
    done: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)
    first_receive: float | None = None
    last_delete: float | None = None
    _ends: deque[float] = field(default_factory=deque)
    _rest: bytes = b""

    def feed(self, data: bytes) -> None:
        """Take in more of the log; a line may come in pieces."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:  # supervisord's own words, or a handler's print
                continue
            if isinstance(event, dict) and event.get("event") == "delivered":
                self.note(event)

    def note(self, event: dict[str, Any]) -> None:
        """Take in one delivery."""
        outcome = str(event["outcome"])
        at = datetime.fromisoformat(event["timestamp"]).timestamp()
        received = at - float(event.get("seconds", 0))
        self.outcomes[outcome] += 1
        self.first_receive = min(received, self.first_receive or received)
        if outcome in {"done", "reject"}:
            (self.done if outcome == "done" else self.dead).add(str(event["message_id"]))
            self.last_delete = max(at, self.last_delete or at)
            self._ends.append(at)

    @property
    def settled(self) -> set[str]:
        """Ids of the messages that will not come back."""
        return self.done | self.dead

    @property
    def drain_seconds(self) -> float:
        """Seconds from the first receive to the last delete."""
        if self.first_receive is None or self.last_delete is None:
            return 0.0
        return self.last_delete - self.first_receive

    def rate(self, now: float) -> float:
        """Messages settled per second of late."""
        if self.first_receive is None:
            return 0.0
        while self._ends and self._ends[0] < now - RATE_OVER:
            self._ends.popleft()
        span = min(RATE_OVER, now - self.first_receive)
        return len(self._ends) / span if span > 0 else 0.0


class Follower:
    """Reads what a file has grown by."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def more(self) -> bytes:
        """Give the bytes since the last call."""
        with self._path.open("rb") as stream:
            stream.seek(self._offset)
            data = stream.read()
        self._offset += len(data)
        return data

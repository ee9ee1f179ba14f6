"""What is to be seen at one moment of the demo: figures and processes, gathered from outside the container."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from consumer.process.memory import measure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.clock import Clock
    from consumer.local.deliveries import Deliveries

SAMPLE_EVERY = 2.0  # seconds; reading a process's memory walks its page tables


@dataclass(frozen=True, slots=True)
class Row:
    """One process: its order in hand is empty while it has none."""

    name: str
    pid: int
    state: str
    handled: int
    order: str = ""
    seconds: float = 0.0
    pss_mb: float | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """One moment. `left` is the seconds until the queue is empty at this rate, None while nobody can tell."""

    stage: str
    elapsed: float
    sent: int
    handled: int
    retried: int
    dead: int
    given_back: int
    in_hand: int
    rate: float
    left: float | None
    rows: tuple[Row, ...]
    killed: int = 0


def scene(
    stage: str, elapsed: float, sent: int, deliveries: Deliveries, rows: tuple[Row, ...], now: float, killed: int = 0
) -> Scene:
    """Put a moment together. Pure."""
    rate = deliveries.rate(now)
    to_do = sent - len(deliveries.settled)
    return Scene(
        stage=stage,
        elapsed=elapsed,
        sent=sent,
        handled=len(deliveries.done),
        retried=deliveries.outcomes["retry"],
        dead=len(deliveries.dead),
        given_back=deliveries.outcomes["release"],
        in_hand=sum(bool(row.order) for row in rows),
        rate=rate,
        left=to_do / rate if rate else None,
        rows=rows,
        killed=killed,
    )


def row(life: Mapping[str, Any], names: Mapping[str, str], memory: Mapping[int, float], now: float) -> Row:
    """Describe a process by its sign of life; `names` gives the order for a message's id. Pure."""
    held = next(iter(life["in_hand"].values()), None)
    return Row(
        name=life["name"],
        pid=life["pid"],
        state=life["state"],
        handled=life["handled"],
        order=names.get(held["message_id"], held["message_id"]) if held else "",
        seconds=max(0.0, now - held.get("since", now)) if held else 0.0,
        pss_mb=memory.get(life["pid"]),
    )


class Memory:
    """The container's memory (PSS: shared pages are divided among those who share them), in MB of 1024 x 1024 bytes."""

    def __init__(self, pid: int, clock: Clock) -> None:
        self.now: dict[int, float] = {}
        self.peak: dict[int, float] = {}
        self._pid = pid
        self._clock = clock
        self._next = 0.0

    def sample(self) -> None:
        """Look, unless it has just been done; keep the moment at which the whole was largest."""
        if self._clock.monotonic() < self._next:
            return
        self._next = self._clock.monotonic() + SAMPLE_EVERY
        self.now = {pid: found.pss for pid in _family(self._pid) if (found := measure(pid))}
        if sum(self.now.values()) > sum(self.peak.values()):
            self.peak = self.now

    def total(self) -> float | None:
        """Sum up the whole container at its largest: supervisord and its processes."""
        return sum(self.peak.values()) if self.peak else None

    def per_process(self) -> float | None:
        """Average over the consumer processes at that moment."""
        processes = [mb for pid, mb in self.peak.items() if pid != self._pid]
        return sum(processes) / len(processes) if processes else None


def _family(pid: int) -> list[int]:
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return []

"""`consumer demo --chaos`: kills processes while they work, and counts afterwards how often each report was written."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from consumer.process import pulse

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.clock import Clock

EVERY = (0.8, 2.4)  # seconds between two kills
HANDLER = "reports:keep_report"


class Killer:
    """Kills processes with orders in hand, while `tick` is called.

    Each order meets that once at most: after three deaths of its process an order is a dead letter. And a process that
    has none in hand is let live: five such deaths in a row, before the first answer of the queue, end a container.
    """

    def __init__(self, run_dir: Path, clock: Clock) -> None:
        self.kills = 0
        self._run_dir, self._clock = run_dir, clock
        self._met: set[str] = set()
        self._next = clock.monotonic() + EVERY[1]

    def tick(self) -> None:
        """Kill a process when it is time."""
        if self._clock.monotonic() < self._next:
            return
        self._next = self._clock.monotonic() + self._clock.uniform(*EVERY)
        busy = [(life, orders) for life in pulse.living(self._run_dir) if (orders := _orders(life))]
        victims = [(life, orders) for life, orders in busy if not orders & self._met]
        if victims:
            life, orders = victims[int(self._clock.uniform(0, len(victims))) % len(victims)]
            self._met |= orders
            with suppress(ProcessLookupError):  # it has just left by itself
                os.kill(life["pid"], signal.SIGKILL)
                self.kills += 1


class Reports:
    """The table that the handler writes into, in the ledger's own database: a file beside the container's log."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ledger.db"
        self.url = f"sqlite:///{self._path}"
        with closing(sqlite3.connect(self._path)) as connection:
            connection.execute("CREATE TABLE reports (order_id TEXT)")

    def written(self) -> list[str]:
        """Name the order of each report."""
        with closing(sqlite3.connect(self._path)) as connection:
            return [order_id for (order_id,) in connection.execute("SELECT order_id FROM reports")]


def _orders(life: dict[str, Any]) -> set[str]:
    return {held["message_id"] for held in life["in_hand"].values()}

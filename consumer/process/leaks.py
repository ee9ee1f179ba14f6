"""What becomes of what a handler leaves behind: said once for each kind, and a reason to retire where wished."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.process.connections import Connections
from consumer.process.growth import Growth
from consumer.process.stop import Leaving
from consumer.process.traces import STOP_SIGNALS, kinds
from consumer.process.tripwire import Tripwire

if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Callable

    from consumer.process.life import Life
    from consumer.process.memory import Memory
    from consumer.process.tripwire import Finding

SELDOM = 25  # messages between looks that cost more
READING_EVERY = 1.0  # seconds between readings of memory
TURNS, TURN = 5, 0.01  # how often, and for how many seconds, a thread or child is waited for that is about to end


class Leaks:
    """Looks after messages, whenever none is in hand. Made when the process's signals are its own.

    read: the process's memory. tasks: what has not ended on the user's loop.
    """

    def __init__(
        self, life: Life, read: Callable[[], Memory | None], tasks: Callable[[], list[Task[Any]]] = list
    ) -> None:
        self._settings, self._clock, self._stop, self._log = life.settings, life.clock, life.stop, life.log
        self._read = read
        self._ignored = life.settings.leaks == "ignore"
        self._wire = Tripwire([STOP_SIGNALS] if self._ignored else kinds(life.settings.concurrency, tasks))
        self._connections = Connections(life.clock)
        self._growth = Growth()
        self._looked = 0
        self._next_reading = 0.0

    async def look(self, handled: int) -> None:
        """Name what the messages handled since the last time have left behind, and how memory grows."""
        findings = await self._found(seldom=handled // SELDOM != self._looked // SELDOM)
        self._looked = handled
        connections = await self._connections.look()  # with "ignore" too: none may go on into the next message
        if connections is not None and not self._ignored:
            findings.append(connections)
        for finding in findings:
            self._wire.said(finding)
            self._log.warning(
                "left_behind",
                kind=finding.kind, what=finding.what, handler=self._settings.handler, put_back=finding.put_back,
            )  # fmt: skip
        if findings and self._settings.leaks == "recycle":
            self._stop.retire(Leaving.LEAKS, "; ".join(f"{one.kind}: {one.what}" for one in findings))
        if not self._ignored:
            self._measure(handled)

    async def _found(self, *, seldom: bool) -> list[Finding]:
        """Look, and once more at what may have been about to end: a pool's threads outlive its shutdown by a moment."""
        findings = self._wire.look(seldom=seldom)
        for _ in range(TURNS):
            if not any(one.brief for one in findings):
                break
            await self._clock.first(self._stop.over, seconds=TURN)
            brief = [one for one in self._wire.look(seldom=False) if one.brief]
            findings = [one for one in findings if not one.brief] + brief
        return findings

    def _measure(self, handled: int) -> None:
        if self._clock.monotonic() < self._next_reading:
            return
        self._next_reading = self._clock.monotonic() + READING_EVERY
        found = self._read()
        if found is None:  # the sign of life says so in the log
            return
        growth = self._growth.add(handled, found.uss)
        if growth is not None:
            self._log.warning(
                "memory_grows",
                mib_per_100_messages=round(growth, 1), uss_mib=round(found.uss), handled=handled,
                handler=self._settings.handler, meanwhile="the process retires at its limits, as ever",
            )  # fmt: skip

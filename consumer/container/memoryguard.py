"""Keeps the container's memory under its limit: ends the one process that is to blame before the kernel chooses any."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consumer.lane import Lane
from consumer.process import cgroup, memory, offspring
from consumer.process.memory import Memory
from consumer.settings import AUTO

if TYPE_CHECKING:
    from consumer.clock import Clock
    from consumer.container.kill import Kills
    from consumer.container.picture import Picture
    from consumer.settings import Settings

FULL, FAR = 0.92, 0.69  # of the container's memory
FAR_SECONDS = 3.0  # between two looks at the whole while it holds less than FAR: they are most of the agent's own work
ONE_IN = 30.0  # seconds: what was replaced must have had time to give its memory back, and its successor to start
RESTARTING = 4  # at most one in so many may be restarting
PAGE = os.sysconf("SC_PAGE_SIZE") / memory.MIB
HALF, SHARES = 0.5, 2  # of the container, and of a process's share of it: the automatic hard limit is the larger


def hard_limit(settings: Settings, budget: float) -> float:
    """Give the private memory, in MiB, over which a process with a message in hand is ended; 0 for none. Pure."""
    if settings.memory_hard_limit != AUTO:
        return settings.memory_hard_limit
    return min(FULL * budget, max(HALF * budget, SHARES * budget / settings.processes))


class MemoryGuard:
    """A duty of the agent. budget: the container's memory in MiB; 0 for unknown, and then only a given limit holds."""

    name = "memory"

    def __init__(self, picture: Picture, settings: Settings, clock: Clock, kills: Kills, *, budget: float) -> None:
        self._picture, self._clock, self._kills = picture, clock, kills
        self._budget, self._processes = budget, settings.processes
        self._hard = hard_limit(settings, budget)
        self._lane = Lane("memory")  # reading the memory of a process that the kernel is busy with may block
        self._was_full = False
        self._next = self._next_look = clock.monotonic()

    async def __call__(self) -> None:
        """Look once at every busy process, and at all of them together."""
        if self._at_work() or self._is_due():
            await self._lane.run(self.look)

    def look(self) -> None:
        """Do so at once."""
        ended = [life for life in self._at_work() if self._over_hard_limit(life)]
        if self._is_due() and not ended:
            self._judge_all(self._picture.living)

    def _at_work(self) -> list[dict[str, Any]]:
        return [life for life in self._picture.living if life["in_hand"]] if self._hard else []

    def _is_due(self) -> bool:
        return bool(self._budget) and self._clock.monotonic() >= self._next_look

    def _over_hard_limit(self, life: dict[str, Any]) -> bool:
        pids = _family(life)
        if sum(map(resident, pids)) <= self._hard:
            return False
        found = weighed(pids)
        if found is None or found.uss <= self._hard:
            return False
        also = ", with what its handler has started," if len(pids) > 1 else ""
        why = f"{found.uss:.0f} MiB of private memory{also} during a message, of {self._hard:.0f} at most"
        self._kills.end(life, why, duty=self.name, suspects=True)
        return True

    def _judge_all(self, lives: list[dict[str, Any]]) -> None:
        """Replace the fattest process when the container is full in two readings."""
        used = self._used(lives)
        before, self._was_full = self._was_full, used > FULL * self._budget
        if used < FAR * self._budget:
            self._next_look = self._clock.monotonic() + FAR_SECONDS
        if not (self._was_full and before) or self._clock.monotonic() < self._next:
            return
        at_work = [life for life in lives if life["state"] != "starting"]
        if self._processes - len(at_work) >= max(1, self._processes // RESTARTING):
            return
        all_weighed = [(found.uss, life) for life in at_work if (found := weighed(_family(life)))]
        if not all_weighed:
            return
        uss, fattest = max(all_weighed, key=lambda one: one[0])
        self._next = self._clock.monotonic() + ONE_IN
        why = f"the container holds {used:.0f} of {self._budget:.0f} MiB, and it the most: {uss:.0f} MiB"
        if fattest["in_hand"]:
            self._kills.end(fattest, why, duty=self.name, suspects=False)
        else:
            self._kills.ask(fattest, why, duty=self.name)

    def _used(self, lives: list[dict[str, Any]]) -> float:
        """Give what the container holds: by its cgroup where that is the container's own, else by its processes."""
        found = cgroup.used()
        if found:
            return found
        pids = [os.getpid(), os.getppid(), *(pid for life in lives for pid in _family(life))]
        most = sum(map(resident, pids))
        if most <= FULL * self._budget:  # cheaply read; shared pages, counted once, make it less
            return most
        whole = weighed(pids)
        return whole.pss if whole else 0.0


def _family(life: dict[str, Any]) -> list[int]:
    """Give a process with what its handler has started, a browser, say; looked for only during a message."""
    return offspring.family(life["pid"]) if life["in_hand"] else [life["pid"]]


def weighed(pids: list[int]) -> Memory | None:
    """Give the memory of processes together, in MiB; nothing when all of them are gone."""
    found = [one for one in map(memory.measure, pids) if one is not None]
    if not found:
        return None
    return Memory(*(sum(getattr(one, name) for one in found) for name in ("uss", "pss", "rss")))


def resident(pid: int) -> float:
    """Give a process's resident memory in MiB, as quickly as the kernel does; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, ValueError, IndexError):
        return 0.0

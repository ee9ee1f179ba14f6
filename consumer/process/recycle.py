"""Reason for a process to retire, or None: messages, lifetime, memory, failures in a row. Jitter is drawn once."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from consumer.limits import MEMORY_SHARE
from consumer.message.outcome import Done, Outcome
from consumer.process.stop import Leaving
from consumer.settings import AUTO

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.process.life import Life
    from consumer.process.memory import Memory

START_SECONDS = 1.5  # supervisord takes an exit within its startsecs (1 s) for a failed start, whatever the code
WARM = 3  # messages after which a process has loaded what it will use
WARM_FACTOR = 1.5  # a limit under so many times the warm memory would replace processes without end
LEAST_ROOM = 32.0  # MiB between the warm memory and an automatic limit
READING_EVERY = 1.0  # seconds between readings
PAUSE_AFTER = 3  # failures in a row
PAUSE_DOUBLES = 12.0  # times the first pause, at most


class Recycle:
    """Keeps the books of one life."""

    def __init__(
        self,
        life: Life,
        *,
        read: Callable[[], Memory | None],
        trim: Callable[[], None],
        budget: float,
        parent_pss: float,
    ) -> None:
        self.handled = 0
        self.failures = 0
        self._settings, self._clock, self._log = life.settings, life.clock, life.log
        settings, clock = life.settings, life.clock
        self._read = read
        self._trim = trim
        self._budget = budget
        self._parent_pss = parent_pss
        self._began = clock.monotonic()
        self._limit = max(1, round(self._jittered(settings.limit))) if settings.limit else 0
        self._lifetime = self._jittered(settings.lifetime)
        self._memory_share = self._jittered(1.0)
        self._memory_limit = None if settings.memory_limit else 0.0  # 0 is none; not known before the process is warm
        self._next_reading = 0.0

    def _jittered(self, limit: float) -> float:
        return limit * (1 - self._clock.uniform(0, self._settings.jitter))

    def record(self, outcome: Outcome) -> None:
        """Count a delivery that has ended."""
        if outcome.failed:
            self.failures += 1
        elif isinstance(outcome, Done):
            self.failures = 0
        self.handled += 1

    def reason(self) -> tuple[Leaving, str] | None:
        """Say why to retire now, or None."""
        if self._limit and self.handled >= self._limit:
            return Leaving.LIMIT, f"{self.handled} messages"
        age = self._clock.monotonic() - self._began
        if self.too_young() > 0:
            return None
        if self._lifetime and age >= self._lifetime:
            return Leaving.LIFETIME, f"{age:.0f} s"
        if self._settings.failure_limit and self.failures >= self._settings.failure_limit:
            return Leaving.FAILURES, f"{self.failures} failures in a row"
        return self._memory()

    def left(self, in_hand: int) -> float:
        """Give how many further messages this life may take."""
        return self._limit - self.handled - in_hand if self._limit else float("inf")

    def too_young(self) -> float:
        """Give the seconds until supervisord no longer takes an exit for a failed start."""
        return self._began + START_SECONDS - self._clock.monotonic()

    def pause(self) -> float:
        """Give the seconds to wait before the next receive: an outside API that is down must not eat up attempts."""
        beyond = self.failures - PAUSE_AFTER
        return self._settings.failure_pause * min(2.0 ** min(beyond, 8), PAUSE_DOUBLES) if beyond >= 0 else 0.0

    def _memory(self) -> tuple[Leaving, str] | None:
        """Judge private memory in two readings, what is merely free given back between them."""
        if self._memory_limit == 0 or self.handled < WARM or self._clock.monotonic() < self._next_reading:
            return None
        self._next_reading = self._clock.monotonic() + READING_EVERY
        if not self._over():
            return None
        gc.collect()
        self._trim()
        over = self._over()
        return (Leaving.MEMORY, over) if over else None

    def _over(self) -> str:
        """Say what is held where that is over the limit, which the first reading fixes: the process is warm by then."""
        found = self._read()
        if found is None:  # the sign of life says so in the log
            return ""
        if self._memory_limit is None:
            self._memory_limit = self._set_memory_limit(found)
        over = 0 < self._memory_limit <= found.uss
        return f"{found.uss:.0f} MiB of {self._memory_limit:.0f}" if over else ""

    def _set_memory_limit(self, warm: Memory) -> float:
        """Give the limit of a process that holds so much when it is warm; 0 is none."""
        given, processes = self._settings.memory_limit, self._settings.processes
        if given == AUTO:
            if not self._budget:
                return 0.0
            spare = (MEMORY_SHARE * self._budget - self._parent_pss - warm.pss * processes) / processes
            return warm.uss + max(LEAST_ROOM, spare * self._memory_share)
        least = WARM_FACTOR * warm.uss
        if given < least:
            self._log.warning(
                "memory_limit_too_low",
                expected=f"at least {WARM_FACTOR:g} x the {warm.uss:.0f} MiB of a warm process",
                got=f"CONSUMER_MEMORY_LIMIT={given:g} MiB",
                meanwhile=f"{least:.0f} MiB is used, so that processes are not replaced without end",
            )
        return max(least, given * self._memory_share)

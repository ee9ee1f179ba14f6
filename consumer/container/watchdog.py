"""Ends a process that is frozen, or that has not ended a run long past its limit; rescue does the rest.

A handler that holds the interpreter's lock (a regular expression gone wild) stops renewals, timers and signals alike:
nobody inside the process can end it. One that is merely slow leaves the sign of life going, and is left alone.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

from consumer.container import ending
from consumer.process import pulse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

    from consumer.clock import Clock
    from consumer.settings import Settings

LAG = 5.0  # seconds between two looks: after a longer gap the whole container may have stood still
MARGIN = 15.0  # seconds beyond grace and drain, in which a process leaves by itself


def kill(life: dict[str, Any]) -> None:
    """Kill a process, and what its handler has started: nothing may go on with a message that is given back."""
    pid = life["pid"]
    if pulse.started(pid) != life["start_ticks"]:
        return
    if os.getpgid(pid) == pid:  # as supervisord starts them
        os.killpg(pid, signal.SIGKILL)
    else:
        os.kill(pid, signal.SIGKILL)


class Watchdog:
    """A duty of the agent.

    It counts by its own monotonic clock what it has seen not to change: a wall clock that is set forward, or a
    container that was paused, is no reason to kill anybody.
    """

    name = "watchdog"

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        clock: Clock,
        log: FilteringBoundLogger,
        kill: Callable[[dict[str, Any]], None] = kill,
    ) -> None:
        self._folder, self._clock, self._log, self._kill = folder, clock, log, kill
        self._limit = settings.time_limit
        self._overstay = settings.time_limit_grace + settings.drain_seconds + MARGIN
        self._since: dict[tuple[object, ...], float] = {}
        self._looked = clock.monotonic()

    async def __call__(self) -> None:
        """Look once at all lives that are going on."""
        now, looked = self._clock.monotonic(), self._looked
        before = {} if now - looked > LAG else self._since
        self._looked, self._since = now, {}
        for life in pulse.living(self._folder):
            why = self._why(life, before)
            if why:
                self._end(life, why)

    def _why(self, life: dict[str, Any], before: dict[tuple[object, ...], float]) -> str:
        """Say why a life must end; nothing when it may go on."""
        who = (life["pid"], life["start_ticks"])
        silent = self._lasts(before, *who, "beat", life["beat"])
        if silent > life["pulse_timeout"]:
            return f"its sign of life has stood still for {silent:.0f} s"
        wall = self._clock.time()
        for key, entry in life["in_hand"].items():
            ran = wall - entry.get("began", entry["since"])
            if entry.get("waiting") or ran < self._limit:
                continue
            if self._lasts(before, *who, key) > self._overstay:
                return f"message {entry['message_id']} has run for {ran:.0f} s, far past its limit"
        return ""

    def _lasts(self, before: dict[tuple[object, ...], float], *what: object) -> float:
        """Give the seconds for which something has been so, as far as this agent has seen it."""
        now = self._clock.monotonic()
        self._since[what] = before.get(what, now)
        return now - self._since[what]

    def _end(self, life: dict[str, Any], why: str) -> None:
        path = self._folder / f"{life['name']}.{life['pid']}.{life['start_ticks']}.json"
        try:
            ending.leave_reason(path, why, suspects=True)
        except OSError as error:  # a full disk: it costs the reason in the log
            self._log.warning("reason_not_kept", error=str(error))
        try:
            self._kill(life)
        except OSError as error:  # it is gone, or another user's
            self._log.warning("not_killed", name=life["name"], pid=life["pid"], error=str(error))
            return
        self._log.error("process_killed", name=life["name"], pid=life["pid"], why=why, in_hand=len(life["in_hand"]))

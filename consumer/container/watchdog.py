"""Ends a process that is frozen, or that has not ended a run long past its limit; rescue does the rest.

A handler that holds the interpreter's lock (a regular expression gone wild) stops renewals, timers and signals alike:
nobody inside the process can end it. One that is merely slow leaves the sign of life going, and is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from consumer.clock import Clock
    from consumer.container.kill import Kills
    from consumer.container.picture import Picture
    from consumer.settings import Settings

LAG = 5.0  # seconds between two looks: after a longer gap the whole container may have stood still
MARGIN = 15.0  # seconds beyond limit, grace and drain, in which a process leaves by itself


class Watchdog:
    """A duty of the agent.

    It counts by its own monotonic clock what it has seen not to change: a wall clock that is set forward, or a
    container that was paused, is no reason to kill anybody.
    """

    name = "watchdog"

    def __init__(self, picture: Picture, settings: Settings, clock: Clock, kills: Kills) -> None:
        self._picture, self._clock, self._kills = picture, clock, kills
        self._longest = settings.time_limit + settings.time_limit_grace + settings.drain_seconds + MARGIN
        self._since: dict[tuple[object, ...], float] = {}
        self._looked = clock.monotonic()

    async def __call__(self) -> None:
        """Look once at all lives that are going on."""
        now, looked = self._clock.monotonic(), self._looked
        before = {} if now - looked > LAG else self._since
        self._looked, self._since = now, {}
        for life in self._picture.living:
            why = self._why(life, before)
            if why:
                self._kills.end(life, why, duty=self.name, suspects=True)

    def _why(self, life: dict[str, Any], before: dict[tuple[object, ...], float]) -> str:
        """Say why a life must end; nothing when it may go on."""
        who = (life["pid"], life["start_ticks"])
        silent = self._lasts(before, *who, "beat", life["beat"])
        if silent > life["pulse_timeout"]:
            return f"its sign of life has stood still for {silent:.0f} s"
        for key, entry in life["in_hand"].items():
            if entry.get("waiting") or life.get("trouble"):  # what has ended may be waiting for the ledger's database
                continue
            ran = self._lasts(before, *who, key)
            if ran > self._longest:
                return f"message {entry['message_id']} has run for {ran:.0f} s, far past its limit"
        return ""

    def _lasts(self, before: dict[tuple[object, ...], float], *what: object) -> float:
        """Give the seconds for which something has been so, as far as this agent has seen it."""
        now = self._clock.monotonic()
        self._since[what] = before.get(what, now)
        return now - self._since[what]

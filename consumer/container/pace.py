"""How long this container's processes take for a message: those that have left are remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.fleet.need import Pace

if TYPE_CHECKING:
    from collections.abc import Iterable

Runs = tuple[int, float, float]
NONE: Runs = (0, 0.0, 0.0)


class Measured:
    """Adds up what the signs of life say of runs that succeeded: how many, their seconds, the longest.

    limit: seconds that one run may take.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._living: dict[tuple[int, int], Runs] = {}
        self._over = NONE

    def look(self, living: Iterable[dict[str, Any]]) -> None:
        """Take in what the lives say now."""
        before, self._living = self._living, {(life["pid"], life["start_ticks"]): _runs(life) for life in living}
        for life in before.keys() - self._living.keys():
            self._over = _together(self._over, before[life])

    def pace(self, expected: float) -> Pace | None:
        """Give the pace; expected: seconds that a message is expected to take, 0 for not known."""
        together = self._over
        for runs in self._living.values():
            together = _together(together, runs)
        return Pace.of(*together, expected=expected or None, limit=self._limit)


def _runs(life: dict[str, Any]) -> Runs:
    return life.get("runs", 0), life.get("run_seconds", 0.0), life.get("longest_run", 0.0)


def _together(one: Runs, other: Runs) -> Runs:
    return one[0] + other[0], one[1] + other[1], max(one[2], other[2])

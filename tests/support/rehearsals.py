"""Days to rehearse: the usual one, with whatever is to be different about it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from consumer.fleet import metrics
from consumer.fleet.planning.workload import HOUR
from consumer.fleet.rehearsal.arrivals import Arrivals, Burst
from consumer.fleet.rehearsal.day import Day, Scene, day
from consumer.fleet.rehearsal.durations import Between, Durations
from consumer.fleet.rehearsal.faults import Faults
from consumer.fleet.rehearsal.subject import Deployed

if TYPE_CHECKING:
    from consumer.fleet.rehearsal.cloudwatch import Board

OPENS, DEADLINE = 4 * HOUR, 9 * HOUR
DEPLOYED = Deployed(slots=16, most=10, expected=165.0, on_demand=1e-5, spot_price=3e-6)
USUAL = Between(30.0, 165.0, 300.0)


class Follow:
    """A rule of scaling in a few lines: one container opens, then what is needed, none after two zeros."""

    def __init__(self, opens: float = OPENS - 300, closes: float = DEADLINE + 1800, most: int = 10) -> None:
        self.opens, self.closes, self.most = opens, closes, most
        self.begin, self.midnight = OPENS - HOUR, 0
        self.applied = 0
        self.warns = False
        self.heard: set[int] = set()

    def minute(self, now: float, board: Board, desired: int, _: int) -> int:
        """Say how many containers are wanted."""
        if not self.opens <= now < self.closes:
            return 0
        need = board.series(metrics.NAMESPACE, metrics.NEEDED.name, "Maximum")
        slack = board.series(metrics.NAMESPACE, metrics.SLACK.name, "Maximum")
        self.heard |= need.keys()
        last = int(now // 60) - 1
        self.warns = all(slack.get(minute, 1.0) < 0 for minute in range(last - 2, last + 1))
        if need.get(last):
            return int(min(need[last], self.most))
        drained = now > self.opens + 900 and need.get(last) == 0 == need.get(last - 1)
        return 0 if drained else max(1, desired)

    closed = False

    def apply_again(self) -> None:
        """Count the deployments."""
        self.applied += 1

    def raise_to(self, most: int) -> None:
        """Let there be more."""
        self.most = most


def scene(count: int = 2000, *, arrivals: Arrivals | None = None, durations: Durations = USUAL, **faults: Any) -> Scene:
    """Give the usual day: a burst at four, and five hours for it."""
    return Scene(OPENS, DEADLINE, arrivals or Burst(OPENS, count), durations, Faults(**faults))


def played(where: Scene, seed: object = 1, *, planner: Follow | None = None, **deployed: Any) -> Day:
    """Rehearse it."""
    return day(replace(DEPLOYED, **deployed), planner or Follow(), where, seed)

"""How many containers the queue needs in order to be empty by its deadline. Pure: counts and seconds in, numbers out.

Every container works this out each minute and publishes it; the rehearsal works it out with the same lines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

MARGIN = 0.05  # of the time left that no plan may count on
LAG = 180.0  # seconds until a container that is asked for has its first message: the alarm's minutes, and its start
TRUST = 50  # messages after which what was measured counts as much as what was expected

Verdict = Literal["drained", "on track", "at risk", "late"]


@dataclass(frozen=True, slots=True)
class Backlog:
    """The queue's counts."""

    visible: int
    delayed: int
    in_flight: int

    @property
    def total(self) -> int:
        """All that has not been deleted."""
        return self.visible + self.delayed + self.in_flight


@dataclass(frozen=True, slots=True)
class Fleet:
    """The containers that there are.

    slots: messages that one of them has in hand at once. desired: containers that the service wants now. most: those
    that it may want. asked: those that the one who asks needed a minute ago. The service answers a need a minute late:
    by then the next one is published, and if it did not hold on to what was asked for, the service would go up and
    down with each minute, and start a container for each time.
    """

    slots: int
    desired: int
    most: int
    asked: int = 0

    @property
    def held(self) -> int:
        """Containers that there are, or will be."""
        return max(self.desired, min(self.asked, self.most))


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that one message takes: on average, and the longest."""

    mean: float
    longest: float

    @classmethod
    def of(
        cls, runs: int, seconds: float, longest: float, *, expected: float | None, limit: float = math.inf
    ) -> Pace | None:
        """Put together what was expected and what was measured; None while nothing is known.

        runs: messages that were done, in so many seconds of work together, the longest of them in `longest` seconds.
        limit: seconds that one run may take. What is done first is what is short: the expected seconds keep the first
        few from being believed, and the longest run is taken to be one of twice the average, unless it may not be.
        """
        weight = TRUST if expected else 0
        if not runs + weight:
            return None
        mean = (seconds + weight * (expected or 0.0)) / (runs + weight)
        return cls(mean, max(longest, mean, min(2 * mean, limit)))


@dataclass(frozen=True, slots=True)
class Need:
    """What the queue needs.

    containers: for the deadline, however many that are; never fewer than there are while these are of use.
    eta: seconds from now until the queue is empty. slack: seconds between then and the deadline; below zero is late.
    Both with those of the containers that the fleet may have.
    """

    containers: int
    eta: float
    slack: float
    verdict: Verdict


def needed(backlog: Backlog, pace: Pace, fleet: Fleet, left: float) -> Need:
    """Say what it takes to be done in so many seconds.

    Containers that are too many now are kept: their time is paid for by finishing earlier, and one that is stopped and
    started again costs its start twice. They go when there are no longer messages for all of them.
    """
    if not backlog.total:
        return Need(0, 0.0, max(0.0, left), "drained")  # what is done is never late
    work = _waiting(backlog, fleet) * pace.mean / fleet.slots  # container-seconds
    enough = _in_time(work, fleet.held, left * (1 - MARGIN) - pace.longest)
    containers = int(min(_useful(backlog, fleet), max(1, fleet.held, enough)))
    eta = work / max(1, min(containers, fleet.most)) + pace.longest
    slack = left - eta
    late, short = slack < 0, containers > fleet.desired
    return Need(containers, eta, slack, "late" if late else "at risk" if short else "on track")


def kept(backlog: Backlog, fleet: Fleet) -> int:
    """Give the containers where it is not known how long a message takes, or by when: those that are of use now."""
    return min(_useful(backlog, fleet), max(1, fleet.held))


def _waiting(backlog: Backlog, fleet: Fleet) -> float:
    """Give the messages that are to be done before the longest run may begin: none once all are in hand.

    Before that, those in hand are half done. More in flight than there are hands: some wait for their next attempt.
    """
    waiting = backlog.visible + backlog.delayed
    if not waiting and backlog.in_flight <= fleet.slots * fleet.desired:
        return 0.0
    return waiting + backlog.in_flight / 2


def _useful(backlog: Backlog, fleet: Fleet) -> int:
    return math.ceil(backlog.total / fleet.slots)


def _in_time(work: float, running: int, seconds: float) -> float:
    """Give the containers that get so many container-seconds done in so many seconds; those to come start later."""
    missing = work - running * seconds
    if missing <= 0:
        return running
    return running + math.ceil(missing / (seconds - LAG)) if seconds > LAG else math.inf


class Asking:
    """What one container says, minute after minute, that the queue needs. containers: what it said last."""

    def __init__(self) -> None:
        self.containers = 1
        self._empty = False  # whether the last count was of nothing

    def minute(self, backlog: Backlog, pace: Pace | None, fleet: Fleet, left: float | None) -> Need | None:
        """Work out this minute's need; None where nobody knows how long a message takes, or by when all must be done.

        Counts lag: no container is needed only when two of them, a minute apart, have found nothing.
        """
        fleet = replace(fleet, asked=self.containers)
        need = needed(backlog, pace, fleet, left) if pace and left is not None else None
        drained, self._empty = self._empty, not backlog.total
        if backlog.total:
            self.containers = need.containers if need else kept(backlog, fleet)
        else:
            self.containers = 0 if drained else max(1, self.containers)
        return need

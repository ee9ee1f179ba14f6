"""What no policy can do better than: the earliest end of a day's messages, and the container-seconds that they take."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapreplace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.clock import Dice
    from consumer.fleet.rehearsal.arrivals import Arrivals
    from consumer.fleet.rehearsal.durations import Durations


@dataclass(frozen=True, slots=True)
class Ideal:
    """messages: that come. finish: when the most containers are done with them. seconds: of containers, at least."""

    messages: int
    finish: float
    seconds: float


def ideal(
    arrivals: Arrivals, durations: Durations, dice: Callable[[str], Dice], *, ready: float, slots: int, most: int
) -> Ideal:
    """Hand each message to the slot that is free first, with the most containers, of so many slots, from `ready` on.

    The same dice give the same day: the times at which messages come, and how long each takes.
    """
    draw = durations.drawer(dice("durations"))
    free = [ready] * (slots * most)
    count, total, finish = 0, 0.0, ready
    for moment, number in arrivals.times(dice("arrivals")):
        for _ in range(number):
            seconds = draw()
            end = max(free[0], moment) + seconds
            heapreplace(free, end)
            finish = max(finish, end)
            total += seconds
        count += number
    return Ideal(count, finish, total / slots)

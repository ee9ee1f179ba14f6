"""What is to happen, in order; time passes from one event to the next."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Event = tuple[float, int, "Callable[..., None]", tuple[Any, ...]]


class Events:
    """The events to come. `now` is the time of the one that happens: seconds since midnight of the first day."""

    __slots__ = ("_heap", "_order", "_stopped", "now")

    def __init__(self, now: float) -> None:
        self.now = now
        self._heap: list[Event] = []
        self._order = count()
        self._stopped = False

    def at(self, when: float, call: Callable[..., None], *given: object) -> None:
        """Have something happen at a time; of two at the same time, what was asked for first."""
        heappush(self._heap, (when, next(self._order), call, given))

    def run(self) -> None:
        """Let one after another happen, until there are none or the end is called for."""
        self._stopped = False
        while self._heap and not self._stopped:  # cancel() makes a new list of it
            self.now, _, call, given = heappop(self._heap)
            call(*given)

    def stop(self) -> None:
        """Call for the end."""
        self._stopped = True

    def cancel(self, first: object) -> list[tuple[Callable[..., None], tuple[Any, ...]]]:
        """Take out every event that was given this object first; give its call and what it was given. Slow, seldom."""
        gone = [event for event in self._heap if event[3] and event[3][0] is first]
        if gone:
            self._heap = [event for event in self._heap if not (event[3] and event[3][0] is first)]
            heapify(self._heap)
        return [(call, given) for _, _, call, given in sorted(gone, key=lambda event: event[1])]

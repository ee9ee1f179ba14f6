"""The messages' side of a rehearsed day: what waits, what is in hand, and whose hand a message comes into.

A message is not held before it is handed out: until then it is one of a count. So a million of them take no memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.fleet.planning.capacity import IN_FLIGHT
from consumer.fleet.planning.workload import BETWEEN
from consumer.limits import BACKOFF, BACKOFF_CAP, BACKOFF_MULTIPLIER, MAX_ATTEMPTS, MAX_CRASHES

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.clock import Dice
    from consumer.fleet.rehearsal.containers import Container
    from consumer.fleet.rehearsal.durations import Durations
    from consumer.fleet.rehearsal.events import Events
    from consumer.fleet.rehearsal.faults import Faults

RESCUE = 5.0  # seconds at most until what a dead process had in hand is visible again
RESTART = 2.0  # seconds until a process that died is replaced and receives

Message = tuple[float, int, int]  # seconds of a run; failures and crashes so far


class Work:
    """The queue, and every slot that is free to take from it.

    fresh: visible for the first time. returned: visible again. hidden: not visible, in hand or waiting for their next
    attempt. taken, idled: called with a container that has come to have something, or no longer has anything, in hand.
    """

    def __init__(self, events: Events, durations: Durations, faults: Faults, dice: Callable[[str], Dice]) -> None:
        self.fresh = self.hidden = 0
        self.returned: list[Message] = []
        self.free: list[Container] = []
        self.taken: Callable[[Container], None] = lambda _: None
        self.idled: Callable[[Container], None] = lambda _: None
        self.succeeded = self.failed = self.crashed = self.interrupted = self.dead = 0
        self.last = events.now  # when a message was last done for good
        self._events, self._faults = events, faults
        self._mishap = bool(faults.failing or faults.crashing)
        self._draw = durations.drawer(dice("durations"))
        self._hands, self._mishaps = dice("hands"), dice("mishaps")

    @property
    def visible(self) -> int:
        """Messages that wait for a free slot."""
        return self.fresh + len(self.returned)

    def arrive(self, count: int) -> None:
        """Messages are sent."""
        self.fresh += count
        self._hand_out()

    def open(self, container: Container) -> None:
        """Let a container take messages."""
        container.takes = True
        self.free.extend([container] * (container.slots - container.busy))
        self._hand_out()

    def close(self, container: Container) -> None:
        """Let a container take no more."""
        if container.takes:
            container.takes = False
            self.free = [one for one in self.free if one is not container]

    def drop(self, container: Container) -> None:
        """Give back at once what a container that ends has in hand."""
        if not container.busy:
            return
        ends = self._done, self._raised, self._crashed
        for call, given in self._events.cancel(container):
            if call in ends:
                self.hidden -= 1
                self.interrupted += 1
                self.returned.append(given[1])
        container.busy = 0
        self._hand_out()

    def _hand_out(self) -> None:
        while self.free and (self.fresh or self.returned) and self.hidden < IN_FLIGHT:
            free = self.free  # another list, where taking its first has had a container take no more
            chosen = int(self._hands.random() * len(free))  # SQS: any of those that ask
            container = free[chosen]
            free[chosen] = free[-1]
            free.pop()
            self._start(container)

    def _message(self) -> Message:
        returned = self.returned
        if returned and self._hands.random() * (self.fresh + len(returned)) < len(returned):
            chosen = int(self._hands.random() * len(returned))
            returned[chosen], returned[-1] = returned[-1], returned[chosen]
            return returned.pop()
        self.fresh -= 1
        return self._draw(), 0, 0

    def _start(self, container: Container) -> None:
        """Hand a message to a free slot."""
        container.busy += 1
        self._run(container)
        if container.busy == 1:
            self.taken(container)

    def _run(self, container: Container) -> None:
        """Have one more message run. This and what ends it is where a rehearsal spends its time."""
        events = self._events
        now = events.now
        message = self._message()
        self.hidden += 1
        if self._mishap:
            end, call = self._ending(message[0])
        else:
            end, call = message[0], self._done
        events.at(now + end + BETWEEN, call, container, message)

    def _ending(self, seconds: float) -> tuple[float, Callable[..., None]]:
        faults = self._faults
        mishap = self._mishaps.random()
        if mishap < faults.crashing:
            return seconds * self._mishaps.random(), self._crashed
        return seconds, self._raised if mishap < faults.crashing + faults.failing else self._done

    def _done(self, container: Container, message: Message) -> None:
        seconds = message[0]
        self.hidden -= 1
        self.succeeded += 1
        self.last = self._events.now
        container.done += 1
        container.seconds += seconds
        if seconds > container.longest:  # noqa: PLR1730 - max() takes longer than all of this method
            container.longest = seconds
        self._next(container)

    def _raised(self, container: Container, message: Message) -> None:
        seconds, failures, crashes = message
        self.failed += 1
        if failures + 1 >= MAX_ATTEMPTS:
            self._dead()
        else:
            self._events.at(self._events.now + self._backoff(failures), self._again, (seconds, failures + 1, crashes))
        self._next(container)

    def _crashed(self, container: Container, message: Message) -> None:
        """Count it against the message, which is taken to have been alone in its process."""
        seconds, failures, crashes = message
        self.crashed += 1
        now = self._events.now
        hidden = RESCUE * self._mishaps.random() + (self._backoff(crashes - 1) if crashes else 0.0)
        self._events.at(now + hidden, self._again, (seconds, failures, crashes + 1))
        self._events.at(now + RESTART, self._next, container)

    def _backoff(self, times: int) -> float:
        base = min(BACKOFF_CAP, BACKOFF * BACKOFF_MULTIPLIER**times)
        return base * (0.5 + 0.5 * self._mishaps.random())  # half sure, half jitter

    def _again(self, message: Message) -> None:
        if message[2] >= MAX_CRASHES:
            self._dead()  # rejected without a run
        else:
            self.hidden -= 1
            self.returned.append(message)
        self._hand_out()

    def _dead(self) -> None:
        self.hidden -= 1
        self.dead += 1
        self.last = self._events.now

    def _next(self, container: Container) -> None:
        if container.takes:
            if (self.fresh or self.returned) and self.hidden < IN_FLIGHT:
                self._run(container)
                return
            self.free.append(container)
        container.busy -= 1
        if not container.busy:
            self.idled(container)
        if self.free:
            self._hand_out()  # where SQS gave no more, another one may have its turn

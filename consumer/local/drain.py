"""Watches the demo's container from its start until the queue is empty, and then until it has left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.container.exits import explained
from consumer.errors import ConsumerError
from consumer.local.deliveries import Deliveries, Follower
from consumer.local.scene import Memory, row, scene
from consumer.process import pulse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.clock import Clock
    from consumer.local.chaos import Killer
    from consumer.local.container import Container
    from consumer.local.interrupt import Interrupt
    from consumer.local.queues import Queues
    from consumer.local.view import View

TICK = 0.25  # seconds between two looks
COUNT_EVERY = 1.0
EMPTY_COUNTS = 3  # in a row: a queue's counts are approximate
STALLED_AFTER = 60.0  # an order takes 3 s and its longest pause 9
KILLED_AFTER = 40.0  # the stop timeout of 30 s, and what a platform adds


class Drain:
    """One drain, as seen from outside: the container's log and signs of life, the queue's counts."""

    def __init__(
        self,
        container: Container,
        queues: Queues,
        names: Mapping[str, str],
        screen: View,
        clock: Clock,
        interrupt: Interrupt,
        killer: Killer | None = None,
    ) -> None:
        self.deliveries = Deliveries()
        self.memory = Memory(container.pid, clock)
        self._container = container
        self._queues = queues
        self._names = names
        self._screen = screen
        self._clock = clock
        self._interrupt = interrupt
        self._killer = killer
        self._log = Follower(container.log)
        self._began = clock.monotonic()
        self._moved = (0, self._began)
        self._counted = (0, self._began)  # how many counts in a row found nothing, and when the last one was made

    def run(self) -> None:
        """Watch until the queue is empty or somebody asks to stop. Raises ConsumerError when the container dies."""
        while not self._interrupt.asked and not self._is_empty():
            self._look("draining the queue" if self.deliveries.outcomes else "starting the container")
            if self._container.exit_code is not None:
                raise self._died()
            if self._killer:
                self._killer.tick()
            if self._stalls():
                raise ConsumerError(
                    f"expected deliveries; got none for {STALLED_AFTER:.0f} s. "
                    f"To do: see the container's log, {self._container.log}\n{self._last_words()}"
                )
            self._clock.block(TICK)

    def stop(self) -> int:
        """Have the container drain and leave; return its exit code. Asked to stop again, or too late: kill it."""
        self._container.stop()
        until = self._clock.monotonic() + KILLED_AFTER
        while self._container.exit_code is None:
            if self._interrupt.insisted or self._clock.monotonic() > until:
                self._container.kill()
            self._look("stopping")
            self._clock.block(TICK)
        self.deliveries.feed(self._log.more())
        return self._container.exit_code

    def _look(self, stage: str) -> None:
        now = self._clock.time()
        self.deliveries.feed(self._log.more())
        self.memory.sample()
        rows = tuple(row(life, self._names, self.memory.now, now) for life in pulse.living(self._container.run_dir))
        elapsed = self._clock.monotonic() - self._began
        self._screen.show(scene(stage, elapsed, len(self._names), self.deliveries, rows, now, self.kills))

    @property
    def kills(self) -> int:
        """Processes killed so far."""
        return self._killer.kills if self._killer else 0

    def _is_empty(self) -> bool:
        """Say whether every message is settled: by the log or, should it lack a line, by the queue's counts."""
        if self.deliveries.settled >= self._names.keys():
            return True
        empty, at = self._counted
        if self._clock.monotonic() - at >= COUNT_EVERY:
            counts = self._queues.counts()
            empty = 0 if counts.visible or counts.in_flight or counts.delayed else empty + 1
            self._counted = (empty, self._clock.monotonic())
        return empty >= EMPTY_COUNTS

    def _stalls(self) -> bool:
        count, since = self._moved
        if self.deliveries.outcomes.total() != count:
            self._moved = (self.deliveries.outcomes.total(), self._clock.monotonic())
        return self._clock.monotonic() - since > STALLED_AFTER

    def _died(self) -> ConsumerError:
        return ConsumerError(
            f"expected the container to drain the queue; it left with {explained(self._container.exit_code or 0)}. "
            f"To do: see the last lines of its log, {self._container.log}\n{self._last_words()}"
        )

    def _last_words(self) -> str:
        return "\n".join(f"    {line}" for line in self._container.last_words())

"""What the container knows, once a minute, on the minute: for CloudWatch, and for `consumer status`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from consumer.container import estimate
from consumer.container.estimate import Estimate
from consumer.container.pace import Measured
from consumer.fleet.metrics import BACKLOG, BUSY, MEMORY, NEEDED, PERIOD, PROCESSES, SLACK
from consumer.fleet.need import Asking, Backlog, Fleet
from consumer.lane import Lane
from consumer.message.trouble import explained
from consumer.process import cgroup, memory, metrics

if TYPE_CHECKING:
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

    from consumer.clock import Clock
    from consumer.container.drained import Counting
    from consumer.container.picture import Picture
    from consumer.container.wanted import Wanted
    from consumer.fleet.metrics import Metric
    from consumer.fleet.need import Need, Pace
    from consumer.message.queue import Counts
    from consumer.settings import Settings


class Gauges:
    """A duty of the agent.

    budget: the container's memory in MiB; 0 for unknown. wanted: knows how many containers the service wants; while
    nobody does, this one is taken to be all.
    """

    name = "gauges"

    def __init__(
        self,
        picture: Picture,
        queue: Counting,
        settings: Settings,
        clock: Clock,
        log: FilteringBoundLogger,
        *,
        folder: Path,
        budget: float,
        wanted: Wanted | None,
    ) -> None:
        self._picture, self._queue, self._settings = picture, queue, settings
        self._clock, self._log, self._folder = clock, log, folder
        self._budget, self._wanted = budget, wanted
        self._measured = Measured(settings.time_limit + settings.time_limit_grace)
        self._lane = Lane("gauges")  # reading the memory of a process that the kernel is busy with may block
        self._minute = int(clock.time() // PERIOD)
        self._most_held = 0.0  # MiB, of all processes together, since the last minute began
        self._asking = Asking()
        self._deaf = False

    async def __call__(self) -> None:
        """Look; on the minute, count and tell."""
        living = self._picture.living
        self._measured.look(living)
        self._most_held = max(self._most_held, sum(life["pss_mib"] for life in living))
        minute = int(self._clock.time() // PERIOD)
        if minute != self._minute:
            self._minute = minute
            await self._tell(minute * PERIOD)

    async def _tell(self, at: float) -> None:
        """Tell what there is to tell of the minute that begins now; of the queue nothing where it does not answer."""
        living = self._picture.living
        values: dict[Metric, float] = {
            BUSY: sum(1 for life in living if life["in_hand"]), PROCESSES: len(living), **await self._memory(),
        }  # fmt: skip
        found = await self._count()
        if found is not None:
            in_hand = sum(len(life["in_hand"]) for life in living)  # which the counts, that lag, may not know of
            values |= self._judge(Backlog(found.visible, found.delayed, max(found.in_flight, in_hand)))
        if said := metrics.said(self._settings, at, values):
            self._log.info("gauges", **said)

    async def _memory(self) -> dict[Metric, float]:
        if not self._budget:
            return {}
        held = await self._lane.run(self._weigh)
        self._most_held = 0.0
        return {MEMORY: round(100 * held / self._budget, 1)}

    def _weigh(self) -> float:
        """Give the most MiB that the container held in the minute: its processes' at most, PID 1's and the agent's."""
        beside = (memory.measure(pid) for pid in (os.getppid(), os.getpid()))
        return max(self._most_held + sum(one.pss for one in beside if one), cgroup.used())

    async def _count(self) -> Counts | None:
        try:
            found = await self._queue.counts()
        except (BotoCoreError, ClientError) as error:
            if not self._deaf:
                self._log.warning("not_counted", error=explained(error), meanwhile="the fleet stays as it is")
            self._deaf = True
            return None
        self._deaf = False
        return found

    def _judge(self, backlog: Backlog) -> dict[Metric, float]:
        """Work out what the queue needs, and note it for `consumer status`."""
        fleet = self._fleet()
        pace = self._measured.pace(self._settings.expected_seconds)
        window = self._settings.window
        left = window.left(self._clock.now()) if window else None
        need = self._asking.minute(backlog, pace, fleet, left)
        values: dict[Metric, float] = {BACKLOG: backlog.total, NEEDED: self._asking.containers}
        if left is not None:
            self._note(backlog, fleet, pace, need, left)
        return values | ({SLACK: round(need.slack)} if need else {})

    def _fleet(self) -> Fleet:
        desired, settings = self._wanted.desired if self._wanted else None, self._settings
        wanted = 1 if desired is None else desired
        slots, most = settings.processes * settings.concurrency, max(wanted, settings.max_containers)
        return Fleet(slots, wanted, most)

    def _note(self, backlog: Backlog, fleet: Fleet, pace: Pace | None, need: Need | None, left: float) -> None:
        now = self._clock.time()
        found = Estimate(
            at=now, verdict=need.verdict if need else "unknown",
            deadline=round(now + left), timezone=str(self._settings.timezone),
            empty_at=round(now + need.eta) if need else None, slack_seconds=round(need.slack) if need else None,
            backlog=backlog.total, seconds_per_message=round(pace.mean, 3) if pace else None,
            needed_containers=self._asking.containers,
            needed_processes=self._asking.containers * self._settings.processes,
            desired_containers=fleet.desired,
        )  # fmt: skip
        try:
            estimate.write(self._folder, found)
        except OSError as error:  # a full disk: `consumer status` will say that there is none
            self._log.warning("estimate_not_kept", error=str(error))

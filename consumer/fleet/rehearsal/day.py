"""A simulated day: messages come, containers start, take and stop, alarms are judged; and what it all came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

from consumer import clock
from consumer.fleet.planning.workload import DAY
from consumer.fleet.rehearsal.cloudwatch import Board
from consumer.fleet.rehearsal.events import Events
from consumer.fleet.rehearsal.faults import Faults
from consumer.fleet.rehearsal.lowerbound import Ideal, ideal
from consumer.fleet.rehearsal.platform import Platform
from consumer.fleet.rehearsal.published import Telling
from consumer.fleet.rehearsal.queue import Work
from consumer.fleet.rehearsal.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from consumer.fleet.rehearsal.arrivals import Arrivals
    from consumer.fleet.rehearsal.durations import Durations
    from consumer.fleet.rehearsal.subject import Deployed

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Scene:
    """The day. start, deadline: seconds since midnight of the day on which the window opens."""

    start: float
    deadline: float
    arrivals: Arrivals
    durations: Durations
    faults: Faults = field(default_factory=Faults)
    platform: Platform = field(default_factory=Platform)


class Planner(Protocol):
    """What decides how many containers are wanted.

    begin: seconds since midnight at which it begins to. midnight: the minute (since 1970, UTC) of that midnight.
    """

    begin: float
    midnight: int

    def minute(self, now: float, board: Board, desired: int, running: int) -> int:
        """Say how many, each minute."""

    def apply_again(self) -> None:
        """Have a deployment apply the template."""

    def raise_to(self, most: int) -> None:
        """Have people raise the maximum."""

    @property
    def closed(self) -> bool:
        """Whether no container may run."""

    @property
    def warns(self) -> bool:
        """Whether people are being told that the deadline is in danger."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One minute of a day, to be drawn."""

    now: float
    backlog: int
    running: int
    desired: int


@dataclass(frozen=True, slots=True)
class Day:
    """What a day came to.

    finish, warned: seconds since midnight, None for never. asked: containers that were needed when people
    were warned, where more were than there may be, else 0.
    """

    messages: int
    finish: float | None
    deadline_made: bool
    feasible: bool
    container_seconds: float
    lower_bound_seconds: float
    peak_containers: int
    started: int
    cost: float
    interrupted: int
    succeeded: int
    failed: int
    crashed: int
    dead: int
    warned: float | None
    asked: int
    timeline: tuple[Moment, ...] = ()

    @property
    def over_bound(self) -> float | None:
        """Give the container-seconds for each one that cannot be done without; None where there was not all done."""
        if self.finish is None or not self.lower_bound_seconds:
            return None
        return self.container_seconds / self.lower_bound_seconds


def day(
    deployed: Deployed,
    planner: Planner,
    scene: Scene,
    seed: object,
    tell: Callable[[float], None] | None = None,
) -> Day:
    """Rehearse one day. tell: called each simulated minute with the time."""
    rolled = partial(clock.dice, seed)
    least = ideal(
        scene.arrivals, scene.durations, rolled,
        ready=scene.start + scene.platform.start[1], slots=deployed.slots, most=deployed.most,
    )  # fmt: skip
    return _Run(deployed, planner, scene, rolled, tell).play(least)


class _Run:
    """One day, while it is played."""

    def __init__(
        self,
        deployed: Deployed,
        planner: Planner,
        scene: Scene,
        dice: Callable[[str], clock.Dice],
        tell: Callable[[float], None] | None,
    ) -> None:
        begin = planner.begin // MINUTE * MINUTE
        self._end = max(begin + DAY, scene.deadline)  # by then the next day has begun
        self._deployed, self._planner, self._scene, self._tell = deployed, planner, scene, tell
        self._events = events = Events(begin)
        self._work = Work(events, scene.durations, scene.faults, dice)
        self._service = Service(events, self._work, scene.platform, dice("platform"), deployed)
        self._board = Board(scene.platform, planner.midnight, (scene.start, scene.start + scene.faults.gap))
        self._telling = Telling(self._board, self._work, deployed)
        self._coming: Iterator[tuple[float, int]] = scene.arrivals.times(dice("arrivals"))
        self._all_sent = False
        self._warned: float | None = None
        self._need = self._asked = 0
        self._moments: list[Moment] = []
        self._schedule(begin)

    def play(self, least: Ideal) -> Day:
        """Let time pass until all is done and every container is gone, or a day is over."""
        self._events.run()
        self._service.end_all()
        self._moments.append(Moment(self._events.now, self._work.visible + self._work.hidden, 0, 0))
        return self._came_to(least)

    def _schedule(self, begin: float) -> None:
        events, scene = self._events, self._scene
        events.at(begin, self._minute)
        events.at(begin + scene.platform.alarms, self._judge)
        events.at(begin + 1.0, self._look)
        if scene.faults.spot_every:
            events.at(scene.start + scene.faults.spot_every, self._interrupt)
        if scene.faults.deploy_at is not None:
            events.at(scene.faults.deploy_at, self._deploy)
        self._next_arrival()

    def _over(self) -> bool:
        work, service = self._work, self._service
        if self._events.now >= self._end:
            return True
        if service.live or service.desired:
            return False
        if self._planner.closed and self._events.now >= self._scene.deadline:  # what is left waits for the next day
            return True
        opened = self._events.now >= self._scene.start  # a fleet is opened, and paid for, though no message comes
        return opened and self._all_sent and not (work.visible or work.hidden)

    def _next_arrival(self) -> None:
        coming = next(self._coming, None)
        if coming is None:
            self._all_sent = True
        else:
            self._events.at(coming[0], self._arrive, coming[1])

    def _arrive(self, count: int) -> None:
        self._work.arrive(count)
        self._next_arrival()

    def _minute(self) -> None:
        now, work, service = self._events.now, self._work, self._service
        service.minute()
        running = service.running
        self._need = self._telling.minute(now, self._scene.deadline - now, running, service.desired)
        self._moments.append(Moment(now, work.visible + work.hidden, len(running), service.desired))
        if self._tell is not None:
            self._tell(now)
        self._events.at(now + MINUTE, self._minute)

    def _judge(self) -> None:
        now = self._events.now
        self._board.arrive(now)
        service = self._service
        service.want(self._planner.minute(now, self._board, service.desired, len(service.running)))
        if self._warned is None and self._planner.warns:
            self._warned = now
            self._asked = self._need if self._need > self._deployed.most else 0
            if self._scene.faults.raised:
                self._events.at(now + self._scene.faults.raised, self._raise)
        self._events.at(now + MINUTE, self._judge)

    def _look(self) -> None:
        self._service.look()
        if self._over():
            self._events.stop()
        self._events.at(self._events.now + self._scene.platform.look, self._look)

    def _interrupt(self) -> None:
        self._service.interrupt()
        self._events.at(self._events.now + self._scene.faults.spot_every, self._interrupt)

    def _deploy(self) -> None:
        self._service.deploy()
        self._planner.apply_again()

    def _raise(self) -> None:
        """Make what is needed the maximum, as ecs/README.md says how: at once, and no container is told of it."""
        self._planner.raise_to(max(self._deployed.most, self._need))

    def _came_to(self, least: Ideal) -> Day:
        deployed, work, service, deadline = self._deployed, self._work, self._service, self._scene.deadline
        done = self._all_sent and not work.visible and not work.hidden
        return Day(
            messages=least.messages,
            finish=work.last if done else None,
            deadline_made=done and work.last <= deadline,
            feasible=least.finish <= deadline,
            container_seconds=service.bill.seconds,
            lower_bound_seconds=least.seconds,
            peak_containers=service.peak,
            started=service.launched,
            cost=service.bill.on_demand * deployed.on_demand + service.bill.spot * deployed.spot_price,
            interrupted=work.interrupted,
            succeeded=work.succeeded,
            failed=work.failed,
            crashed=work.crashed,
            dead=work.dead,
            warned=self._warned,
            asked=self._asked,
            timeline=tuple(self._moments),
        )

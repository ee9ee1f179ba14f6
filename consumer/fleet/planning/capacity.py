"""How many containers of which size, with how many processes each, empty a queue in time. Pure.

Times are bounds, not averages: whatever the order in which messages are taken, the queue is empty by then (list
scheduling: Graham 1969), if they take as long together as was said and none takes longer than the longest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from consumer.fleet.cloud.sizes import SIZES
from consumer.fleet.need import MARGIN
from consumer.limits import MEMORY_SHARE, MOST_PROCESSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.fleet.cloud.sizes import Size
    from consumer.fleet.planning.calibration import Calibration
    from consumer.fleet.planning.workload import Workload

START = 90.0  # seconds from asking for a container until its first message: placing, pulling, 16 processes' start
CPU_SHARE = 0.8  # of its CPU, so that leases and signals are on time
MEASURED_PROCESSES = 16  # in one container: more are planned only for a handler that has been measured
SURGE = 3  # times the usual messages, for which the fleet may still grow

LAUNCH_BURST, LAUNCHES = 100, 20  # Fargate: tasks at once, then a second (ECS: service quotas, throttling)
IN_FLIGHT = 120_000  # SQS: messages in flight, standard and FIFO
MOST_CONTAINERS = 250  # the highest step of the template's scaling policy


@dataclass(frozen=True, slots=True)
class Limits:
    """What the surroundings bear; None is no limit.

    connections: of the ledger's database. parallel: messages in hand at once, for the sake of what handlers call.
    """

    connections: int | None = None
    parallel: int | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """One container: its size, its processes, and the messages that each has in hand."""

    size: Size
    processes: int
    concurrency: int = 1

    @property
    def slots(self) -> int:
        """Messages in hand at once."""
        return self.processes * self.concurrency


@dataclass(frozen=True, slots=True)
class Fleet:
    """So many containers of one shape, all there from the opening on. most: those that it may have on a bad day."""

    shape: Shape
    containers: int
    most: int

    @property
    def slots(self) -> int:
        """Messages in hand at once, on a usual day."""
        return self.containers * self.shape.slots


def started(containers: int) -> float:
    """Give the seconds until the last of so many containers has its first message."""
    return START + max(0, containers - LAUNCH_BURST) / LAUNCHES


def makespan(load: Workload, slots: int) -> float:
    """Give the seconds within which so many slots have done all messages, in whatever order they take them."""
    if load.messages <= slots:
        return load.longest_turn
    return max(load.longest_turn, load.work / slots + (1 - 1 / slots) * load.longest_turn)


def finish(load: Workload, slots: int, containers: int) -> float:
    """Give the seconds from the opening within which so many containers, of so many slots each, have done it all."""
    return started(containers) + makespan(load, slots * containers)


def at_once(load: Workload) -> int | None:
    """Give the messages that must be in hand at once, however they are spread over containers; None: no number will do.

    A margin of the time is kept for what nobody foresaw, as the fleet itself keeps it.
    """
    return _slots(load, START)


def _slots(load: Workload, started_after: float) -> int | None:
    seconds = (load.window - started_after) * (1 - MARGIN) - load.longest_turn
    return min(load.messages, math.ceil(load.work / seconds)) if seconds > 0 else None


def enough(load: Workload, slots: int) -> int | None:
    """Give the fewest containers of so many slots that are done in time; None when no number is."""
    containers = 1
    while (wanted := _slots(load, started(containers))) is not None:
        if wanted <= containers * slots:
            return containers
        containers = math.ceil(wanted / slots)  # more of them take longer to launch, so ask again
    return None


def holds(size: Size, figures: Calibration, concurrency: int, turn: float) -> tuple[int, int]:
    """Give the processes that a container's memory has room for, and those that its CPU has.

    turn: seconds from one message's beginning to the next one's.
    """
    process = figures.memory(1, concurrency) - figures.container_mib
    memory = (MEMORY_SHARE * size.memory - figures.container_mib) / process if process else math.inf
    busy = figures.cpu(1, concurrency, turn) - figures.container_cpu
    cpu = (CPU_SHARE * size.vcpu - figures.container_cpu) / busy if busy else math.inf
    return _count(memory), _count(cpu)


def _count(processes: float) -> int:
    return int(max(0, min(processes, MOST_PROCESSES)))


def smallest(figures: Calibration, processes: int, concurrency: int, turn: float) -> Size | None:
    """Give the smallest size that holds so many processes, or None."""
    fitting = (size for size in SIZES if min(holds(size, figures, concurrency, turn)) >= processes)
    return next(fitting, None)


def connections(shape: Shape, containers: int) -> int:
    """Give the connections to the ledger's database, twice as many as usual since a deployment doubles the fleet."""
    return 2 * containers * (shape.processes * (1 + shape.concurrency) + 1)


def ceiling(shape: Shape, limits: Limits) -> int:
    """Give the most containers of a shape that every limit lets be."""
    allowed = [MOST_CONTAINERS, IN_FLIGHT // shape.slots]
    if limits.connections is not None:
        allowed.append(limits.connections // connections(shape, 1))
    if limits.parallel is not None:
        allowed.append(limits.parallel // shape.slots)
    return min(allowed)


def fleet(load: Workload, shape: Shape, limits: Limits) -> Fleet | None:
    """Give the fleet of a shape that is done in time, or None when there is none within the limits."""
    containers, most = enough(load, shape.slots), ceiling(shape, limits)
    if containers is None or containers > most:
        return None
    wanted = enough(bad_day(load), shape.slots)
    return Fleet(shape, containers, min(most, max(containers, wanted or most)))


def bad_day(load: Workload) -> Workload:
    """Give the workload of a day on which far more messages come than usual."""
    return replace(load, messages=SURGE * load.messages)


def fleets(
    load: Workload, figures: Calibration, limits: Limits, *, processes: int | None = None, concurrency: int = 1
) -> list[Fleet]:
    """Give the fleets that are done in time: of each size, with as many processes as it holds, or as are wanted.

    Those that are also enough on a bad day, if there are any; then those that have no more processes in a container
    than have been measured, unless the handler itself has been.
    """
    counts = [processes] if processes else range(1, MOST_PROCESSES + 1)
    shapes = (Shape(SIZES[0], count, concurrency) for count in counts)  # the size says who fits in, not who is in time
    able = [found for shape in shapes if (found := fleet(load, shape, limits))]
    bad = bad_day(load)
    strong = [one for one in able if (enough(bad, one.shape.slots) or math.inf) <= one.most]
    measured = MOST_PROCESSES if figures.trusted else MEASURED_PROCESSES
    for crews in (strong, able):
        for most in (measured, MOST_PROCESSES):
            if sized := list(_sized(crews, figures, most, load.turn)):
                return sized
    return []


def _sized(crews: list[Fleet], figures: Calibration, most: int, turn: float) -> Iterator[Fleet]:
    """Give for each size the fleet with the most processes in it: what they share is shared by the most."""
    for size in SIZES:
        room = min(most, *holds(size, figures, crews[0].shape.concurrency, turn)) if crews else 0
        dense = next((one for one in reversed(crews) if one.shape.processes <= room), None)
        if dense:
            yield replace(dense, shape=replace(dense.shape, size=size))

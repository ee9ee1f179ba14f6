"""How many containers of which size, with how many processes each, empty a queue in time. Pure.

Times are bounds, not averages: whatever the order in which messages are taken, the queue is empty by then (list
scheduling: Graham 1969), if they take as long together as was said and none takes longer than the longest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from consumer.fleet.need import MARGIN
from consumer.fleet.sizes import SIZES

if TYPE_CHECKING:
    from consumer.fleet.calibration import Calibration
    from consumer.fleet.sizes import Size
    from consumer.fleet.workload import Workload

START = 90.0  # seconds from asking for a container until its first message: placing, pulling, 16 processes' start
MEMORY_SHARE = 0.85  # of a container's memory, as in CONSUMER_MEMORY_LIMIT=auto; the rest is for what nobody foresaw
CPU_SHARE = 0.8  # of its CPU, so that leases and signals are on time
MEASURED_PROCESSES = 16  # in one container: more are planned only for a handler that has been measured
MOST_PROCESSES = 500  # CONSUMER_PROCESSES takes no more
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
        return load.longest
    return max(load.longest, load.work / slots + (1 - 1 / slots) * load.longest)


def finish(load: Workload, slots: int, containers: int) -> float:
    """Give the seconds from the opening within which so many containers, of so many slots each, have done it all."""
    return started(containers) + makespan(load, slots * containers)


def enough(load: Workload, slots: int) -> int | None:
    """Give the fewest containers of so many slots that are done in time, by a margin; None when no number is."""
    useful = math.ceil(load.messages / slots)
    containers = 1
    while True:
        seconds = (load.window - started(containers)) * (1 - MARGIN) - load.longest
        if seconds <= 0:
            return None
        wanted = min(useful, math.ceil(load.work / slots / seconds))
        if wanted <= containers:
            return containers
        containers = wanted  # more of them take longer to launch, so ask again


def holds(size: Size, figures: Calibration, concurrency: int) -> tuple[int, int]:
    """Give the processes that a container's memory has room for, and those that its CPU has."""
    process = figures.memory(1, concurrency) - figures.container_mib
    memory = (MEMORY_SHARE * size.memory - figures.container_mib) / process if process else math.inf
    busy = figures.cpu(1, concurrency) - figures.container_cpu
    cpu = (CPU_SHARE * size.vcpu - figures.container_cpu) / busy if busy else math.inf
    return _count(memory), _count(cpu)


def _count(processes: float) -> int:
    return int(max(0, min(processes, MOST_PROCESSES)))


def smallest(figures: Calibration, processes: int, concurrency: int = 1) -> Size | None:
    """Give the smallest size that holds so many processes, or None."""
    fitting = (size for size in SIZES if min(holds(size, figures, concurrency)) >= processes)
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
    return Fleet(shape, containers, min(most, max(containers, surge(load, shape.slots) or most)))


def surge(load: Workload, slots: int) -> int | None:
    """Give the containers that are enough on a bad day; None when no number is."""
    return enough(replace(load, messages=SURGE * load.messages), slots)


def fleets(
    load: Workload, figures: Calibration, limits: Limits, *, processes: int | None = None, concurrency: int = 1
) -> list[Fleet]:
    """Give the fleets that are done in time: of each size, with as many processes as it holds, or as are wanted.

    Those come first that are also enough on a bad day; then those that have no more processes in a container than have
    been measured, unless the handler itself has been.
    """
    room = MOST_PROCESSES if figures.trusted else MEASURED_PROCESSES
    for strong in (True, False):
        for most in dict.fromkeys((room, MOST_PROCESSES)):
            found = (_densest(load, size, figures, limits, (processes, most), concurrency) for size in SIZES)
            if fitting := [one for one in found if one and (_bears_surge(load, one) or not strong)]:
                return fitting
    return []


def _bears_surge(load: Workload, found: Fleet) -> bool:
    wanted = surge(load, found.shape.slots)
    return wanted is not None and wanted <= found.most


def _densest(
    load: Workload, size: Size, figures: Calibration, limits: Limits, wanted: tuple[int | None, int], concurrency: int
) -> Fleet | None:
    """Give the fleet of one size with the most processes: what they share is then shared by the most."""
    given, most = wanted
    room = min(holds(size, figures, concurrency))
    counts = [given] if given else range(min(room, most), 0, -1)
    shapes = (Shape(size, count, concurrency) for count in counts if count <= room)
    return next((found for shape in shapes if (found := fleet(load, shape, limits))), None)

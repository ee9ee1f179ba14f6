"""What a fleet comes up against as it grows, and how far it is from that. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from consumer.fleet.cloud.sizes import SIZES
from consumer.fleet.need import MARGIN
from consumer.fleet.planning import capacity
from consumer.fleet.planning.capacity import CPU_SHARE, IN_FLIGHT, MOST_CONTAINERS
from consumer.fleet.planning.said import counted
from consumer.limits import MEMORY_SHARE, MOST_PROCESSES

if TYPE_CHECKING:
    from consumer.fleet.planning.calibration import Calibration
    from consumer.fleet.planning.capacity import Fleet, Limits
    from consumer.fleet.planning.workload import Workload


@dataclass(frozen=True, slots=True)
class Bound:
    """Something that there is only so much of. within: one container, or the whole fleet at its largest."""

    key: str
    name: str
    used: float
    limit: float
    within: str = "fleet"

    @property
    def share(self) -> float:
        """How much of it is used, of 1."""
        return self.used / self.limit if self.limit else float("inf")


def bounds(load: Workload, fleet: Fleet, figures: Calibration, limits: Limits) -> list[Bound]:
    """Give all that bounds a fleet, the tightest first."""
    shape, most = fleet.shape, fleet.most
    memory = figures.memory(shape.processes, shape.concurrency)
    cpu = figures.cpu(shape.processes, shape.concurrency, load.turn)
    found = [
        Bound("memory", "memory", memory, MEMORY_SHARE * shape.size.memory, "container"),
        Bound("cpu", "vCPU", cpu, CPU_SHARE * shape.size.vcpu, "container"),
        Bound("processes", "processes", shape.processes, MOST_PROCESSES, "container"),
        Bound("containers", "containers (scaling policy)", most, MOST_CONTAINERS),
        Bound("in_flight", "in flight (SQS)", most * shape.slots, IN_FLIGHT),
        Bound("launch", "seconds to launch (Fargate)", capacity.started(most) - capacity.START, MARGIN * load.window),
    ]
    if limits.connections is not None:
        used = capacity.connections(shape, most)
        found.append(Bound("connections", "connections (database)", used, limits.connections))
    if limits.parallel is not None:
        found.append(Bound("parallel", "in hand (--parallel)", most * shape.slots, limits.parallel))
    return sorted(found, key=lambda bound: -bound.share)


def bears(load: Workload, slots: int, containers: int) -> int:
    """Give the messages of the same kind that so many containers still have done in time; 0 when none.

    In time for the longest of them is in time for one in each slot, however little is left for a second.
    """
    seconds = (load.window - capacity.started(containers)) * (1 - MARGIN) - load.longest_turn
    return max(containers * slots, int(containers * slots * seconds / load.turn)) if seconds > 0 else 0


def shortfalls(
    load: Workload, figures: Calibration, limits: Limits, processes: int | None, concurrency: int
) -> list[str]:
    """Say why no fleet will do."""
    slots = capacity.at_once(load)
    if slots is None:
        window = f"a message of {load.longest:g} s does not fit into {load.window / 60:g} minutes"
        return [f"{window}: {capacity.START:g} s pass until a container is ready, and {MARGIN:.0%} is kept in hand"]
    if capacity.smallest(figures, processes or 1, concurrency, load.turn) is None:
        return [f"no container of Fargate's holds {counted(processes or 1, 'process', 'processes')} of this kind"]
    rooms = _rooms(figures, limits, processes, concurrency, load.turn)
    tight = [f"{name} {room:,}" for name, room in rooms.items() if room < slots]
    return [f"it takes {slots:,} messages at once, and {reason}" for reason in tight] or [
        f"it takes {slots:,} messages at once, and no whole number of containers is near enough to that"
    ]


def _rooms(
    figures: Calibration, limits: Limits, processes: int | None, concurrency: int, turn: float
) -> dict[str, int]:
    """Give the messages in hand at once that each limit allows, at the best."""
    densest = processes or max(min(capacity.holds(size, figures, concurrency, turn)) for size in SIZES)
    rooms = {
        f"{MOST_CONTAINERS} containers hold": MOST_CONTAINERS * densest * concurrency,
        "one queue of SQS allows": IN_FLIGHT,
    }
    if limits.connections is not None:
        name = f"without a pooler, {limits.connections:,} connections to the ledger's database are enough for"
        rooms[name] = limits.connections * concurrency // (2 * (1 + concurrency))
    if limits.parallel is not None:
        rooms["--parallel allows"] = limits.parallel
    return rooms

"""A plan as parameters of ecs/template.yaml."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from consumer.fleet.planning.workload import DAY, clock
from consumer.limits import LONGEST_RUN, TIME_LIMIT

if TYPE_CHECKING:
    from consumer.fleet.planning.plan import Plan
    from consumer.fleet.planning.workload import Workload

EARLY = 180.0  # seconds before the messages come: docs/scaling.md says why not more or less
FREE = 900.0  # seconds after, until which a sleeping queue's own metrics are back (SQS), and the fleet may go to zero
LAST = 60.0  # at least between that and the deadline
GRACE = 1800.0  # seconds after the deadline, until nothing more may run


def parameters(plan: Plan, zone: str) -> dict[str, str]:
    """Give the parameters that a plan decides, by their names in the template; what was priced is what is deployed."""
    fleet, load, market = plan.fleet, plan.request.load, plan.request.market
    shape = fleet.shape
    return {
        "Architecture": "ARM64",
        "Cpu": str(shape.size.cpu),
        "Memory": str(shape.size.memory),
        "Processes": str(shape.processes),
        "Concurrency": str(shape.concurrency),
        "OpenContainers": str(fleet.containers),
        "MaxContainers": str(fleet.most),
        "TimeLimit": str(time_limit(load)),
        "OnDemandWeight": "1",
        "SpotWeight": "0",
        "AssignPublicIp": "ENABLED" if market.public_ip else "DISABLED",
        "ExpectedSeconds": f"{load.mean:g}",
        "TimeZone": zone,
        "OpenTime": clock((load.opens - EARLY) % DAY),
        "FreeTime": clock((load.opens - EARLY + kept(load)) % DAY),
        "Deadline": clock(load.deadline),
        "CloseTime": clock((load.deadline + GRACE) % DAY),
    }


def kept(load: Workload) -> float:
    """Give the seconds for which the fleet is held open, however soon the queue is empty: OpenTime to FreeTime."""
    return EARLY + min(FREE, load.window - LAST)


def time_limit(load: Workload) -> int:
    """Give the seconds after which a run is ended: twice the longest, in whole minutes, and never too few."""
    return int(min(LONGEST_RUN, max(TIME_LIMIT, 60 * math.ceil(2 * load.longest / 60))))

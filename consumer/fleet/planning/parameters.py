"""A plan as parameters of ecs/template.yaml."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from consumer.fleet.planning.hours import CLOSE_AFTER, EARLY, held
from consumer.fleet.planning.said import time_of_day
from consumer.fleet.planning.workload import DAY
from consumer.limits import LONGEST_RUN, TIME_LIMIT

if TYPE_CHECKING:
    from consumer.fleet.planning.plan import Plan
    from consumer.fleet.planning.workload import Workload


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
        "OpenTime": time_of_day((load.opens - EARLY) % DAY),
        "FreeTime": time_of_day((load.opens - EARLY + held(load.window)) % DAY),
        "Deadline": time_of_day(load.deadline),
        "CloseTime": time_of_day((load.deadline + CLOSE_AFTER) % DAY),
    }


def time_limit(load: Workload) -> int:
    """Give the seconds after which a run is ended: twice the longest, in whole minutes, and never too few."""
    return int(min(LONGEST_RUN, max(TIME_LIMIT, 60 * math.ceil(2 * load.longest / 60))))

"""A plan as parameters of ecs/template.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.fleet.planning.workload import DAY, clock

if TYPE_CHECKING:
    from consumer.fleet.planning.plan import Plan

EARLY = 180.0  # seconds before the messages come: docs/scaling.md says why not more or less
FREE = 900.0  # seconds after, until which a sleeping queue's own metrics are back (SQS), and the fleet may go to zero
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
        "OnDemandWeight": "1",
        "SpotWeight": "0",
        "AssignPublicIp": "ENABLED" if market.public_ip else "DISABLED",
        "ExpectedSeconds": f"{load.mean:g}",
        "TimeZone": zone,
        "OpenTime": clock((load.opens - EARLY) % DAY),
        "FreeTime": clock((load.opens + FREE) % DAY),
        "Deadline": clock(load.deadline),
        "CloseTime": clock((load.deadline + GRACE) % DAY),
    }

"""A plan as parameters of ecs/template.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consumer.fleet.plan import Plan


def parameters(plan: Plan, zone: str) -> dict[str, str]:
    """Give the parameters that differ from one plan to the next, by their names in the template."""
    fleet, load = plan.fleet, plan.request.load
    shape = fleet.shape
    return {
        "Cpu": str(shape.size.cpu),
        "Memory": str(shape.size.memory),
        "Processes": str(shape.processes),
        "Concurrency": str(shape.concurrency),
        "OpenContainers": str(fleet.containers),
        "MaxContainers": str(fleet.most),
        "Deadline": _time(load.deadline),
        "Timezone": zone,
    }


def _time(since: float) -> str:
    minutes = int(since) // 60
    return f"{minutes // 60:02d}:{minutes % 60:02d}"

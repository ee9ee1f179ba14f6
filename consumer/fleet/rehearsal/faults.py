"""What the platform takes its time for, and what goes wrong on a day."""

from __future__ import annotations

from dataclasses import dataclass

from consumer.fleet.planning.capacity import LAUNCH_BURST, LAUNCHES, START


@dataclass(frozen=True, slots=True)
class Platform:
    """How fast the platform is, all in seconds.

    start: least and most from asking for a container to its first receive. unpulled: share of that before the image is
    pulled, which is when billing begins. look: between two looks of ECS at what runs and what is wanted.
    own, sqs, ecs: until a metric of ours, of the queue's and of the service's can be read. alarms: after the full
    minute at which they are judged. burst, rate: containers that are started at once, and after these each second.
    """

    start: tuple[float, float] = (60.0, START)
    unpulled: float = 0.3
    look: float = 15.0
    own: float = 20.0
    sqs: float = 60.0
    ecs: float = 120.0
    alarms: float = 30.0
    burst: int = LAUNCH_BURST
    rate: float = LAUNCHES


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong.

    spot_every: seconds between two interruptions of a Spot container, 0 for none. failing, crashing: share of the runs
    that raise, and of those that end with their process. gap: seconds from the start in which no metric arrives.
    deploy_at: seconds since midnight of a deployment. raised: seconds after people are told that the deadline is in
    danger, until they deploy with as many containers at most as are needed; 0 for never.
    """

    spot_every: float = 0.0
    failing: float = 0.0
    crashing: float = 0.0
    gap: float = 0.0
    deploy_at: float | None = None
    raised: float = 0.0

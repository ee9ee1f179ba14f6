"""How fast the platform is on a rehearsed day: AWS, as far as containers and metrics wait for it."""

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

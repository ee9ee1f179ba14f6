"""What goes wrong on a rehearsed day."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong.

    spot_every: seconds between two interruptions of a Spot container, 0 for none. failing, crashing: share of the runs
    that raise, and of those that end with their process. gap: seconds from the start in which no metric arrives.
    deploy_at: seconds since midnight of a deployment. raised: seconds after people are told that the deadline is in
    danger, until they raise the maximum to what is needed; 0 for never.
    """

    spot_every: float = 0.0
    failing: float = 0.0
    crashing: float = 0.0
    gap: float = 0.0
    deploy_at: float | None = None
    raised: float = 0.0

"""How long a run, a stop and a protection last, and how many: for those who have settings, and who plan without."""

from __future__ import annotations

import math

VISIBILITY_MAX = 43_200  # SQS: a message can be invisible for 12 h from its receipt, and extending does not reset that
MOST_PROCESSES = 500  # in one container
MOST_CONCURRENCY = 500  # messages in hand of one process

TIME_LIMIT = 900.0  # of one run, unless told otherwise
GRACE = 10.0  # from there until its process is replaced, unless told otherwise
LONGEST_RUN = 39_600.0  # no limit is longer: SQS gives a message 12 h, of which retries need some
AGENT_STOP = 5.0  # supervisord stops its groups one after another: the agent's seconds come out of the same budget

LEAST = 10  # minutes of protection from scale-in: with no agent to renew it, a container is free to go after so long
MOST = 120  # minutes: CloudFormation gives a deployment up after three hours
RENEW = 60.0  # seconds after which it is renewed


def drain_of(stop_timeout: float) -> float:
    """Seconds in which handlers may finish after SIGTERM, of the platform's stop timeout."""
    return stop_timeout - max(4.0, stop_timeout / 6) - AGENT_STOP


def leased(longest: float) -> int:
    """Minutes of protection: one run's, which may take so many seconds, and two tries to renew it."""
    return min(MOST, max(LEAST, math.ceil((longest + 2 * RENEW) / 60)))

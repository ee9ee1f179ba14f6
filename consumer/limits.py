"""Bounds and defaults that settings, containers, plans and rehearsals share."""

from __future__ import annotations

import math

VISIBILITY_MAX = 43_200  # SQS: a message can be invisible for 12 h from its receipt, and extending does not reset that
MOST_PROCESSES = 500  # in one container
MOST_CONCURRENCY = 500  # messages in hand of one process
MEMORY_SHARE = 0.85  # of a container's memory that its processes may plan with; the rest is for what nobody foresaw

# Unless told otherwise, in seconds where nothing else is said:
WAIT_TIME = 20  # of a long poll
HEARTBEAT = 30.0  # between two renewals of a message's lease
TIME_LIMIT = 900.0  # of one run
GRACE = 10.0  # from there until its process is replaced
BACKOFF, BACKOFF_MULTIPLIER, BACKOFF_CAP = 30.0, 3.0, 900.0  # after a failure; the second is a factor
MAX_ATTEMPTS, MAX_CRASHES = 5, 3  # of a message

LONGEST_RUN = 39_600.0  # no limit is longer: SQS gives a message 12 h, of which retries need some
AGENT_STOP = 5.0  # supervisord stops its groups one after another: the agent's seconds come out of the same budget

LEASE_LEAST = 10  # minutes of protection from scale-in: with no agent to renew it, a container is free to go after that
LEASE_MOST = 120  # minutes: CloudFormation gives a deployment up after three hours
RENEW = 60.0  # seconds after which it is renewed
UNUSED = 10.0  # seconds with nothing in hand after which it is given back


def drain_of(stop_timeout: float) -> float:
    """Seconds in which handlers may finish after SIGTERM, of the platform's stop timeout."""
    return stop_timeout - max(4.0, stop_timeout / 6) - AGENT_STOP


def leased(longest: float) -> int:
    """Minutes of protection: one run's, which may take so many seconds, and two tries to renew it."""
    return min(LEASE_MOST, max(LEASE_LEAST, math.ceil((longest + 2 * RENEW) / 60)))

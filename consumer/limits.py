"""Seconds of a run and of a stop: the settings take them from here, and so does who plans without settings."""

from __future__ import annotations

TIME_LIMIT = 900.0  # of one run, unless told otherwise
GRACE = 10.0  # from there until its process is replaced, unless told otherwise
LONGEST_RUN = 39_600.0  # no limit is longer: SQS gives a message 12 h, of which retries need some
AGENT_STOP = 5.0  # supervisord stops its groups one after another: the agent's seconds come out of the same budget


def drain_of(stop_timeout: float) -> float:
    """Seconds in which handlers may finish after SIGTERM, of the platform's stop timeout."""
    return stop_timeout - max(4.0, stop_timeout / 6) - AGENT_STOP

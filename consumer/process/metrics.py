"""What a delivery is counted as in CloudWatch, and how a log line says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer import logs
from consumer.fleet.metrics import FAILED, SECONDS, SUCCEEDED, emf
from consumer.message.outcome import Done

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.fleet.metrics import Metric
    from consumer.message.outcome import Outcome
    from consumer.settings import Settings


def said(settings: Settings, at: float, values: Mapping[Metric, float]) -> dict[str, object]:
    """Give the field by which a log line bears metrics; nothing where there are none, or none are published.

    at: seconds since the epoch.
    """
    return {logs.METRICS: emf(settings.queue_url, at, values)} if values and settings.metrics == "emf" else {}


def of(outcome: Outcome, seconds: float) -> dict[Metric, float]:
    """Count one delivery. What was done without a run of its own says nothing of how long a run takes."""
    if isinstance(outcome, Done):
        return {SUCCEEDED: 1, SECONDS: seconds} if outcome.cause == "returned" else {SUCCEEDED: 1}
    return {FAILED: 1} if outcome.failed else {}

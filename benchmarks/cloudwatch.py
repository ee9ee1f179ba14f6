"""CloudWatch, as far as a real day needs it: what containers print as EMF, which can be read some seconds later."""

from __future__ import annotations

import json
from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from consumer.fleet.cloud.metricmath import Source

STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Maximum": max, "Minimum": min, "Sum": sum, "SampleCount": len, "Average": fmean,
}  # fmt: skip


class CloudWatch:
    """Datapoints by namespace and name: when each can be read, the minute that it is stamped with, its value.

    late: seconds until a namespace's datapoints can be read.
    """

    def __init__(self, late: Mapping[str, float]) -> None:
        self._late = late
        self._points: defaultdict[tuple[str, str], list[tuple[float, int, float]]] = defaultdict(list)

    def put(self, namespace: str, name: str, stamp: float, value: float, now: float) -> None:
        """Take one datapoint."""
        self._points[namespace, name].append((now + self._late[namespace], int(stamp // 60), value))

    def hear(self, line: Mapping[str, Any], now: float) -> None:
        """Take whatever a log line bears."""
        about = line.get("_aws")
        if about is None:
            return
        for block in about["CloudWatchMetrics"]:
            for metric in block["Metrics"]:
                name = metric["Name"]
                self.put(block["Namespace"], name, about["Timestamp"] / 1000, line[name], now)

    def series(self, source: Source, now: float) -> dict[int, float]:
        """Give what can be read of a metric by now."""
        minutes: defaultdict[int, list[float]] = defaultdict(list)
        for due, minute, value in self._points[source.namespace, source.name]:
            if due <= now:
                minutes[minute].append(value)
        return {minute: STATISTICS[source.statistic](values) for minute, values in minutes.items()}


def parsed(text: bytes) -> dict[str, Any]:
    """Read a line of a container's log; what is no JSON object says nothing."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

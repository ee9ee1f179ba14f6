"""CloudWatch in a rehearsed day: datapoints that can be read only some time after they were sent, or never."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from consumer.fleet.rehearsal.platform import Platform

MINUTE = 60
STATISTICS: dict[str, Callable[[tuple[float, ...]], float]] = {
    "Maximum": max,
    "Minimum": min,
    "Sum": sum,
    "SampleCount": len,
    "Average": fmean,
}


class Board:
    """The metrics of the day, by namespace, name and statistic: minute -> value.

    midnight: the minute (since 1970, UTC) from which the day's seconds are counted. blind: the seconds between
    which what is sent is lost.
    """

    def __init__(self, platform: Platform, midnight: int, blind: tuple[float, float]) -> None:
        self._delay = {"AWS/SQS": platform.sqs, "AWS/ECS": platform.ecs}
        self._own = platform.own
        self._blind = blind
        self._midnight = midnight
        self._coming: list[tuple[float, str, str, int, tuple[float, ...]]] = []
        self._seen: defaultdict[tuple[str, str], dict[int, tuple[float, ...]]] = defaultdict(dict)
        self._read: defaultdict[tuple[str, str], dict[str, dict[int, float]]] = defaultdict(dict)  # as asked for so far

    def put(self, namespace: str, name: str, now: float, values: Iterable[float]) -> None:
        """Send the datapoints of one minute, of all containers; in a gap they are lost."""
        sent = tuple(values)
        if sent and not self._blind[0] <= now < self._blind[1]:
            due = now + self._delay.get(namespace, self._own)
            self._coming.append((due, namespace, name, self._midnight + int(now // MINUTE), sent))

    def arrive(self, now: float) -> None:
        """Let those that are due be read."""
        later = []
        for one in self._coming:
            due, namespace, name, minute, values = one
            if due > now:
                later.append(one)
                continue
            self._seen[namespace, name][minute] = values
            for statistic, series in self._read[namespace, name].items():
                series[minute] = STATISTICS[statistic](values)
        self._coming = later

    def series(self, namespace: str, name: str, statistic: str) -> Mapping[int, float]:
        """Give what can be read of one metric."""
        read = self._read[namespace, name]
        if statistic not in read:
            call = STATISTICS[statistic]
            read[statistic] = {minute: call(values) for minute, values in self._seen[namespace, name].items()}
        return read[statistic]

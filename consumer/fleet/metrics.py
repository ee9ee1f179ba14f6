"""What a container tells CloudWatch: ten metrics, which is what the free tier holds; names, units, how each is read.

Every container publishes under the same name and the same one dimension: CloudWatch bills each value of a dimension as
a metric of its own. So what all containers see of the one queue is read with Maximum, what each knows of itself with
Sum; the sample count of what each publishes once a minute is how many containers there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from consumer import queuename

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE = "Consumer"
DIMENSION = "Queue"  # its value is the queue's name, without account and region
PERIOD = 60  # seconds; every datapoint of a gauge is stamped with its minute's beginning
REPORTING = "SampleCount"  # the statistic of NEEDED that counts the containers which report

Unit = Literal["Count", "Seconds", "Percent"]  # CloudWatch's own words
Statistic = Literal["Maximum", "Sum", "Average"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the fleet.

    statistic: how the datapoints of a minute, of all containers, are read as one.
    """

    name: str
    unit: Unit
    statistic: Statistic


# Gauges, once a minute.
BACKLOG = Metric("Backlog", "Count", "Maximum")  # messages visible, delayed and in flight
NEEDED = Metric("NeededContainers", "Count", "Maximum")  # containers that it takes to be done by the deadline
SLACK = Metric("SlackSeconds", "Seconds", "Maximum")  # from the expected end to the deadline; below zero is late
BUSY = Metric("BusyProcesses", "Count", "Sum")  # processes with a message in hand
PROCESSES = Metric("Processes", "Count", "Sum")  # processes that live
MEMORY = Metric("MemoryHighWater", "Percent", "Maximum")  # the most memory of the minute, of the container's

# Published with the log line of what it counts, as it happens.
SUCCEEDED = Metric("Succeeded", "Count", "Sum")  # messages done
FAILED = Metric("Failed", "Count", "Sum")  # failed runs
SECONDS = Metric("SecondsPerMessage", "Seconds", "Average")  # duration of a run that succeeded
ABNORMAL = Metric("AbnormalLeavings", "Count", "Sum")  # processes that died or had to be ended

ALL = (BACKLOG, NEEDED, SLACK, BUSY, PROCESSES, MEMORY, SUCCEEDED, FAILED, SECONDS, ABNORMAL)


def emf(queue: str, at: float, values: Mapping[Metric, float]) -> dict[str, object]:
    """Put values as CloudWatch's embedded metric format has them at the root of a log line, which must be JSON.

    queue: its URL or name. at: seconds since the epoch. (CloudWatch user guide, "Embedded metric format".)
    """
    named = [{"Name": metric.name, "Unit": metric.unit} for metric in values]
    about = {"Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": named}
    return {
        "_aws": {"Timestamp": int(at * 1000), "CloudWatchMetrics": [about]},
        DIMENSION: queuename.of(queue),
        **{metric.name: value for metric, value in values.items()},
    }

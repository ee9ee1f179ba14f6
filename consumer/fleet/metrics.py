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

    statistic: how the datapoints of a minute, of all containers, are read as one. event: published with the log line
    of what it counts, as it happens; otherwise a gauge, once a minute.
    """

    name: str
    unit: Unit
    statistic: Statistic
    text: str
    event: bool = False


BACKLOG = Metric("Backlog", "Count", "Maximum", "Messages visible, delayed and in flight.")
NEEDED = Metric("NeededContainers", "Count", "Maximum", "Containers that it takes to be done by the deadline.")
SLACK = Metric("SlackSeconds", "Seconds", "Maximum", "From the expected end to the deadline; below zero is late.")
BUSY = Metric("BusyProcesses", "Count", "Sum", "Processes with a message in hand.")
PROCESSES = Metric("Processes", "Count", "Sum", "Processes that live.")
MEMORY = Metric("MemoryHighWater", "Percent", "Maximum", "The most memory of the minute, of the container's.")

SUCCEEDED = Metric("Succeeded", "Count", "Sum", "Messages done.", event=True)
FAILED = Metric("Failed", "Count", "Sum", "Failed runs.", event=True)
SECONDS = Metric("SecondsPerMessage", "Seconds", "Average", "Duration of a run that succeeded.", event=True)
ABNORMAL = Metric("AbnormalLeavings", "Count", "Sum", "Processes that died or had to be ended.", event=True)

ALL = (BACKLOG, NEEDED, SLACK, BUSY, PROCESSES, MEMORY, SUCCEEDED, FAILED, SECONDS, ABNORMAL)
GAUGES = tuple(metric for metric in ALL if not metric.event)


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

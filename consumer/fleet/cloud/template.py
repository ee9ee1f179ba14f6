"""Reads a template's resources into what they would deploy. Pure.

The rehearsal runs what is deployed: its alarms, policies, schedules and sizes are in no other place than the template.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from consumer.errors import TemplateError, problem
from consumer.fleet.cloud import sizes
from consumer.fleet.cloud.alarms import PERIOD, Alarm
from consumer.fleet.cloud.cron import Schedule
from consumer.fleet.cloud.metricmath import Query, Source
from consumer.fleet.cloud.parameters import check_together
from consumer.fleet.cloud.resources import resolved, text_of
from consumer.fleet.cloud.scaling import COOLDOWN, Policy, Step, StepPolicy, Target, TargetTracking

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SPOT = "FARGATE_SPOT"


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a template with its parameters deploys.

    settings: the container's environment. concurrency: messages that a process has in hand at once. target: the bounds
    that a deployment puts in force, with as many containers as there are before the first schedule. alarms: all of
    them; those whose actions name a policy scale, the others tell people. on_demand: containers that are never Spot.
    spot_share: Spot's of the others.
    """

    size: sizes.Size
    architecture: str
    settings: Mapping[str, str]
    processes: int
    concurrency: int
    stop_timeout: float
    on_demand: int
    spot_share: float
    target: Target
    schedules: tuple[Schedule, ...]
    policies: tuple[Policy, ...]
    alarms: tuple[Alarm, ...]

    @property
    def slots(self) -> int:
        """Messages that a container has in hand at once."""
        return self.processes * self.concurrency

    @property
    def most(self) -> int:
        """Containers that there are at most."""
        return max([self.target.maximum, *(one.maximum for one in self.schedules if one.maximum is not None)])


def read(text: str | None = None, /, **parameters: object) -> Deployment:
    """Read a template with values for its parameters; those that are not given have their defaults.

    text: the shipped one's where none is given. Raises TemplateError, which names the parameter or the part that is
    wrong.
    """
    try:
        values, resources = resolved(text_of() if text is None else text, **parameters)
        check_together(values)
        return Reader(resources).deployment()
    except (LookupError, TypeError, AttributeError) as error:
        raise TemplateError(f"the template: a part is missing, or of another kind than expected: {error!r}") from error


class Reader:
    """Makes a deployment of resources that have been worked out."""

    def __init__(self, resources: Mapping[str, Any]) -> None:
        self._resources = resources
        self._policies = {name: _policy(one) for name, one in self._all("ApplicationAutoScaling::ScalingPolicy")}

    def deployment(self) -> Deployment:
        """Put it together."""
        task, service = self._one("ECS::TaskDefinition"), self._one("ECS::Service")
        target = self._one("ApplicationAutoScaling::ScalableTarget")
        container = task["ContainerDefinitions"][0]
        settings = {one["Name"]: str(one["Value"]) for one in container["Environment"]}
        on_demand, share = _mix(service["CapacityProviderStrategy"])
        return Deployment(
            size=sizes.at(_whole("Cpu", task["Cpu"]), _whole("Memory", task["Memory"])),
            architecture=task["RuntimePlatform"]["CpuArchitecture"],
            settings=settings,
            processes=_whole("CONSUMER_PROCESSES", settings["CONSUMER_PROCESSES"]),
            concurrency=_whole("CONSUMER_CONCURRENCY", settings["CONSUMER_CONCURRENCY"]),
            stop_timeout=_whole("StopTimeout", container["StopTimeout"]),
            on_demand=on_demand,
            spot_share=share,
            target=_bounds("MinCapacity and MaxCapacity", target),
            schedules=tuple(map(_schedule, target["ScheduledActions"])),
            policies=tuple(self._policies.values()),
            alarms=tuple(self._alarm(name, one) for name, one in self._all("CloudWatch::Alarm")),
        )

    def _all(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        return ((name, one["Properties"]) for name, one in self._resources.items() if one.get("Type") == f"AWS::{kind}")

    def _one(self, kind: str) -> dict[str, Any]:
        found = [properties for _, properties in self._all(kind)]
        if len(found) != 1:
            raise TemplateError(f"the template has {len(found)} resources AWS::{kind}; exactly one was expected")
        return found[0]

    def _alarm(self, name: str, alarm: Mapping[str, Any]) -> Alarm:
        queries = (
            _queries(alarm["Metrics"]) if "Metrics" in alarm else (Query("m", _source(alarm, alarm["Statistic"])),)
        )
        periods = {
            _whole("Period", one["MetricStat"]["Period"]) for one in alarm.get("Metrics", []) if "MetricStat" in one
        }
        if periods | {_whole("Period", alarm.get("Period", PERIOD))} != {PERIOD}:
            raise TemplateError(f"{name}: only periods of {PERIOD} s can be rehearsed")
        periods_evaluated = _whole("EvaluationPeriods", alarm["EvaluationPeriods"])
        return Alarm(
            name=alarm.get("AlarmName", name),
            queries=queries,
            comparison=alarm["ComparisonOperator"],
            threshold=_number("Threshold", alarm["Threshold"]),
            evaluation_periods=periods_evaluated,
            datapoints_to_alarm=_whole("DatapointsToAlarm", alarm.get("DatapointsToAlarm", periods_evaluated)),
            missing=alarm.get("TreatMissingData", "missing"),
            actions=tuple(self._action(one) for one in alarm.get("AlarmActions", [])),
        )

    def _action(self, name: str) -> str:
        """Give the name of the policy that an action refers to; what it is otherwise stays as it is."""
        return self._policies[name].name if name in self._policies else name


def _policy(policy: Mapping[str, Any]) -> Policy:
    name = policy["PolicyName"]
    if policy["PolicyType"] == "TargetTrackingScaling":
        tracking = policy["TargetTrackingScalingPolicyConfiguration"]
        return TargetTracking(
            name,
            _queries(tracking["CustomizedMetricSpecification"]["Metrics"]),
            _number("TargetValue", tracking["TargetValue"]),
            _whole("ScaleOutCooldown", tracking.get("ScaleOutCooldown", COOLDOWN)),
            _whole("ScaleInCooldown", tracking.get("ScaleInCooldown", COOLDOWN)),
            scales_in=not tracking.get("DisableScaleIn", False),
        )
    steps = policy["StepScalingPolicyConfiguration"]
    return StepPolicy(
        name,
        steps["AdjustmentType"],
        tuple(map(_step, steps["StepAdjustments"])),
        _whole("Cooldown", steps.get("Cooldown", COOLDOWN)),
        _whole("MinAdjustmentMagnitude", steps.get("MinAdjustmentMagnitude", 1)),
    )


def _step(step: Mapping[str, Any]) -> Step:
    lower, upper = (
        None if step.get(name) is None else _number(name, step[name])
        for name in ("MetricIntervalLowerBound", "MetricIntervalUpperBound")
    )
    return Step(lower, upper, _whole("ScalingAdjustment", step["ScalingAdjustment"]))


def _queries(metrics: list[dict[str, Any]]) -> tuple[Query, ...]:
    return tuple(
        Query(
            one["Id"],
            _source(one["MetricStat"]["Metric"], one["MetricStat"]["Stat"]) if "MetricStat" in one else None,
            one.get("Expression", ""),
            one.get("ReturnData", True),
        )
        for one in metrics
    )


def _source(metric: Mapping[str, Any], statistic: str) -> Source:
    dimensions = tuple((one["Name"], one["Value"]) for one in metric.get("Dimensions", []))
    return Source(metric["Namespace"], metric["MetricName"], dimensions, statistic)


def _zone(where: str, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise TemplateError(problem(where, "one such as UTC or Asia/Tokyo", name, "set TimeZone so")) from error


def _schedule(action: Mapping[str, Any]) -> Schedule:
    name = action["ScheduledActionName"]
    zone = _zone(f"the time zone of schedule {name}", action.get("Timezone", "UTC"))
    bounds = action["ScalableTargetAction"]
    low, high = (_whole(one, bounds[one]) if one in bounds else None for one in ("MinCapacity", "MaxCapacity"))
    if low is not None and high is not None:
        _bounds(f"schedule {name}", bounds)
    return Schedule(name, action["Schedule"], zone, low, high)


def _bounds(where: str, bounds: Mapping[str, Any]) -> Target:
    low, high = _whole(where, bounds["MinCapacity"]), _whole(where, bounds["MaxCapacity"])
    if low > high:
        raise TemplateError(f"{where}: the least, {low}, is more than the most, {high}")
    return Target(low, high, low)


def _mix(strategy: list[dict[str, Any]]) -> tuple[int, float]:
    """Give the containers that are never Spot, and Spot's share of the others."""
    weights = {one["CapacityProvider"]: _whole("Weight", one.get("Weight", 0)) for one in strategy}
    able = {name for name, weight in weights.items() if weight}  # one of weight 0 places none, whatever its base (ECS)
    base = sum(_whole("Base", one.get("Base", 0)) for one in strategy if one["CapacityProvider"] in able - {SPOT})
    if not sum(weights.values()):
        raise TemplateError(problem("OnDemandWeight, SpotWeight", "one above 0", "0 and 0", "set OnDemandWeight=1"))
    return base, weights.get(SPOT, 0) / sum(weights.values())


def _number(name: str, value: object) -> float:
    try:
        return float(str(value))
    except ValueError as error:
        raise TemplateError(f"{name}: expected a number, got {value!r}") from error


def _whole(name: str, value: object) -> int:
    number = _number(name, value)
    if not number.is_integer():
        raise TemplateError(f"{name}: expected a whole number, got {value!r}")
    return int(number)

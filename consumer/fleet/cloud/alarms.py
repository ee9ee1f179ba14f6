"""CloudWatch alarms, judged each minute: M of N datapoints, with gaps. Pure.

The rules are those of the CloudWatch user guide, "Evaluating an alarm" and "Configuring how CloudWatch alarms treat
missing data".
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from consumer.errors import TemplateError
from consumer.fleet.cloud.metricmath import USUAL, Query, Reading, Series, check, evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

State = Literal["ALARM", "OK", "INSUFFICIENT_DATA"]
Comparison = Literal[
    "GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"
]
Missing = Literal["missing", "ignore", "breaching", "notBreaching"]

COMPARED: dict[Comparison, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
PERIOD = 60  # seconds; CloudWatch judges each minute
MORE = 2  # datapoints beyond the evaluation periods that are fetched: the guide's examples fetch 5 for 3


def refuse_unless_in(words: object, where: str, word: str) -> None:
    """Raise TemplateError unless a word is one of a Literal's."""
    if word not in get_args(words):
        raise TemplateError(f"{where} is one of {', '.join(get_args(words))}, got {word}")


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm on one series: a metric, or an expression over several."""

    name: str
    queries: tuple[Query, ...]
    comparison: Comparison
    threshold: float
    evaluation_periods: int = 1
    datapoints_to_alarm: int = 1
    missing: Missing = "missing"
    actions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what CloudWatch would refuse. Raises TemplateError."""
        refuse_unless_in(Comparison, f"{self.name}: ComparisonOperator", self.comparison)
        refuse_unless_in(Missing, f"{self.name}: TreatMissingData", self.missing)
        check(self.queries)
        if not 1 <= self.datapoints_to_alarm <= self.evaluation_periods:
            raise TemplateError(f"{self.name}: DatapointsToAlarm is at least 1 and at most EvaluationPeriods")

    def range(self, minute: int, more: int = MORE) -> range:
        """Give the evaluation range that ends with a minute: the datapoints that CloudWatch fetches."""
        return range(minute - self.evaluation_periods - more + 1, minute + 1)


def judge(alarm: Alarm, series: Series, minute: int, before: State = "INSUFFICIENT_DATA", more: int = MORE) -> State:
    """Give an alarm's state after a minute.

    before: its state so far, which `ignore` keeps. more: datapoints that CloudWatch fetches beyond the evaluation
    periods: it "attempts to retrieve a higher number of data points", and does not say how many.
    """
    breaches, threshold = COMPARED[alarm.comparison], alarm.threshold
    points = [(minute - at + 1, breaches(series[at], threshold)) for at in alarm.range(minute, more) if at in series]
    real = [breaching for _, breaching in points]
    gaps = alarm.evaluation_periods - len(real)
    breaching = sum(real[-alarm.evaluation_periods :])
    if gaps > 0 and alarm.missing == "breaching":
        breaching += gaps
    if breaching >= alarm.datapoints_to_alarm:
        return "ALARM"
    if gaps <= 0 or alarm.missing in {"breaching", "notBreaching"} or not all(real):
        return "OK"
    return before if alarm.missing == "ignore" else _with_too_few(alarm, points)


def _with_too_few(alarm: Alarm, points: list[tuple[int, bool]]) -> State:
    """Judge a few breaching datapoints and gaps, counted as missing; a point comes with its age in minutes.

    "Alarms are designed to always go into ALARM state when the oldest available breaching datapoint [...] is at least
    as old as the value of Datapoints to Alarm, and all other more recent data points are breaching or missing."
    """
    return "ALARM" if points and points[0][0] >= alarm.datapoints_to_alarm else "INSUFFICIENT_DATA"


def latest(alarm: Alarm, series: Series, minute: int, more: int = MORE) -> float | None:
    """Give the newest datapoint that an alarm has seen: the one by which a step is chosen."""
    return next((series[at] for at in reversed(alarm.range(minute, more)) if at in series), None)


@dataclass(slots=True)
class Watch:
    """Several alarms over time: the state of each, and the newest datapoint of those that are in ALARM."""

    alarms: tuple[Alarm, ...]
    reading: Reading = USUAL
    more: int = MORE
    states: dict[str, State] = field(default_factory=dict)
    values: dict[str, float | None] = field(default_factory=dict)

    def minute(self, minute: int, data: Callable[[Query], Series]) -> None:
        """Judge all of them after a minute, by the datapoints that have come by then."""
        for alarm in self.alarms:
            series = series_of(alarm, data, alarm.range(minute, self.more), self.reading)
            before = self.states.get(alarm.name, "INSUFFICIENT_DATA")
            state = judge(alarm, series, minute, before, self.more)
            self.states[alarm.name] = state
            self.values[alarm.name] = latest(alarm, series, minute, self.more) if state == "ALARM" else None

    def ringing(self, action: str) -> Iterable[Alarm]:
        """Give the alarms in ALARM that have an action.

        "For Auto Scaling actions, the alarm continues to invoke the action for every period that the alarm remains in
        the new state": so this is asked each minute.
        """
        return (alarm for alarm in self.alarms if action in alarm.actions and self.states.get(alarm.name) == "ALARM")


def series_of(alarm: Alarm, data: Callable[[Query], Series], minutes: range, reading: Reading = USUAL) -> Series:
    """Give the series that an alarm looks at; a plain metric costs no evaluation."""
    if len(alarm.queries) == 1 and alarm.queries[0].metric is not None:
        return data(alarm.queries[0])
    return evaluate(alarm.queries, data, minutes, reading)

"""Metric math, evaluated as CloudWatch documents it, on series that have gaps. Pure.

The rules quoted are those of the CloudWatch user guide, "Metric math syntax and functions" and "Using IF expressions".
Where the guide leaves a case open, `Reading` names both answers: a template must be safe under either.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from consumer.errors import TemplateError
from consumer.fleet.cloud.points import joined, point
from consumer.fleet.cloud.syntax import Binary, Name, Negative, Number, Tree, names, parse

MOST = 10  # CloudWatch, alarm limits: metrics, and expressions, of one alarm
ID = re.compile(r"[a-z][A-Za-z0-9_]*")

Series: TypeAlias = Mapping[int, float]
"""Minutes since 1970 in UTC, to values. A minute without a datapoint is absent."""

Value: TypeAlias = "float | dict[int, float]"


@dataclass(frozen=True, slots=True)
class Source:
    """One metric and the statistic that is read of it."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str


@dataclass(frozen=True, slots=True)
class Query:
    """A metric, or an expression over others, under an id."""

    id: str
    metric: Source | None = None
    expression: str = ""
    return_data: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """What the guide does not say, decided.

    filled: FILL(m, number) of a metric without any datapoint is that number throughout, not empty.
    absent_is_zero: a metric without any datapoint counts as 0 beside another series, as a missing point does.
    clock_runs: HOUR(m) and the like have values where m has no datapoint at all.
    zero_beside_number: a missing point counts as 0 beside a number too; otherwise `m + 1` has the gaps of m.
    chosen_is_zero: IF gives 0 where it chooses a missing point of its second argument, which the guide says of a
    condition that is a series, and leaves open of one that is a comparison.
    """

    filled: bool = True
    absent_is_zero: bool = True
    clock_runs: bool = True
    zero_beside_number: bool = False
    chosen_is_zero: bool = True


USUAL = Reading()


def evaluate(
    queries: Sequence[Query], data: Callable[[Query], Series], minutes: range, reading: Reading = USUAL
) -> Series:
    """Give the series of the one query that returns data.

    data: the datapoints of a query's metric; those outside of the minutes are not looked at.
    """
    final = check(tuple(queries))
    value = Evaluation(queries, data, minutes, reading).of(final.id)
    if not isinstance(value, dict):
        raise TemplateError(f"metric math {final.expression!r}: its result must be one series (CloudWatch user guide)")
    return value


@lru_cache(maxsize=256)
def check(queries: tuple[Query, ...]) -> Query:
    """Give the query whose data is returned; raise TemplateError where CloudWatch would refuse the set."""
    known = {query.id: query for query in queries}
    if len(known) < len(queries) or not all(ID.fullmatch(name) for name in known):
        raise TemplateError(f"ids must differ and begin with a small letter, got {[query.id for query in queries]}")
    for kind in (True, False):
        if sum(bool(query.metric) is kind for query in queries) > MOST:
            raise TemplateError(f"an alarm may have {MOST} metrics and {MOST} expressions at most")
    for query in queries:
        unknown = names(parse(query.expression)) - known.keys() if query.expression else set()
        if unknown or bool(query.metric) is bool(query.expression):
            raise TemplateError(f"{query.id}: expected a metric or an expression over known ids, got {sorted(unknown)}")
    returned = [query for query in queries if query.return_data]
    if len(returned) != 1:
        raise TemplateError(f"exactly one query returns data, got {[query.id for query in returned]}")
    return returned[0]


class Evaluation:
    """One set of queries over one range of minutes."""

    def __init__(
        self, queries: Sequence[Query], data: Callable[[Query], Series], minutes: range, reading: Reading
    ) -> None:
        self._queries = {query.id: query for query in queries}
        self._data = data
        self._minutes = minutes
        self._reading = reading
        self._open: list[str] = []

    def of(self, name: str) -> Value:
        """Give the value of one id."""
        if name in self._open:
            raise TemplateError(f"metric math: {name} is made of itself")
        query = self._queries[name]
        if query.metric is not None:
            found = self._data(query)
            return {minute: found[minute] for minute in self._minutes if minute in found}
        self._open.append(name)
        value = self._tree(parse(query.expression))
        self._open.pop()
        return value

    def _tree(self, tree: Tree) -> Value:
        match tree:
            case Number(value):
                return value
            case Name(name):
                return self.of(name)
            case Negative(inner):
                return self._pair("*", -1.0, self._tree(inner))
            case Binary(sign, left, right):
                return self._pair(sign, self._tree(left), self._tree(right))
        return self._call(tree.function, [self._tree(item) for item in tree.arguments])

    def _call(self, name: str, given: list[Value]) -> Value:
        match name, given:
            case "IF", [condition, yes, *no] if len(no) <= 1:
                return self._if(condition, yes, no[0] if no else {})
            case "FILL", [dict() as series, float(number)]:
                return dict.fromkeys(self._minutes, number) | series if series or self._reading.filled else {}
            case (("HOUR" | "MINUTE"), [dict() as series]):
                return self._clock(name, series)
            case "FLOOR", [dict() as series]:
                return {minute: float(math.floor(value)) for minute, value in series.items()}
        raise TemplateError(f"metric math: {name} of {len(given)} such arguments is not known here")

    def _pair(self, sign: str, left: Value, right: Value) -> Value:
        """Join two values point by point.

        "Missing values in a time series are treated as 0. If the value of a data point causes a function to attempt to
        divide by zero, the data point is dropped." Comparisons: "when only one of the time series has a value for a
        particular time stamp, the function treats the missing value in the other time series as 0".
        """
        if isinstance(left, dict) or isinstance(right, dict):
            return joined(sign, left, right, self._seen(left, right))
        return joined(sign, left, right, (0,)).get(0, {})  # two numbers: the one point that they make

    def _seen(self, left: float | dict[int, float], right: float | dict[int, float]) -> Collection[int]:
        """Give the minutes for which there is something to join, in order."""
        series = [side for side in (left, right) if isinstance(side, dict)]
        if not all(series) and not self._reading.absent_is_zero:
            return ()
        if len(series) == 1:
            return self._minutes if self._reading.zero_beside_number else series[0]
        return sorted(series[0].keys() | series[1].keys())

    def _if(self, condition: Value, yes: Value, no: Value) -> Value:
        """Choose point by point.

        "0, if the corresponding data point of metric1 is TRUE and the corresponding data point does not exist in
        metric2"; "dropped, if [it] is FALSE and the corresponding data point does not exist in metric3 or if metric3 is
        omitted"; dropped if the condition has no datapoint.
        """
        if not isinstance(condition, dict):
            return yes if condition else no
        chosen: dict[int, float] = {}
        for minute, value in condition.items():
            if value and (self._reading.chosen_is_zero or not isinstance(yes, dict) or minute in yes):
                chosen[minute] = point(yes, minute)
            elif value:
                continue
            elif not isinstance(no, dict):
                chosen[minute] = no
            elif minute in no:
                chosen[minute] = no[minute]
        return chosen

    def _clock(self, name: str, series: dict[int, float]) -> dict[int, float]:
        """Give each minute's hour or minute: "a new non-sparse time series". UTC, as all of CloudWatch's are."""
        if not series and not self._reading.clock_runs:
            return {}
        return {minute: minute // 60 % 24 if name == "HOUR" else minute % 60 for minute in self._minutes}

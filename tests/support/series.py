"""Series as the CloudWatch user guide writes them: a value a minute, `-` where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.fleet.cloud.metricmath import USUAL, Query, Reading, Series, Source, evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BEGIN = 29_378_880  # minutes since 1970: midnight in UTC, and a Monday


def series(text: str, begin: int = BEGIN) -> dict[int, float]:
    return {begin + at: float(word) for at, word in enumerate(text.split()) if word != "-"}


def text(points: Series, minutes: range) -> str:
    return " ".join(f"{points[minute]:g}" if minute in points else "-" for minute in minutes)


def source(name: str) -> Query:
    return Query(name, Source("Test", name, (), "Sum"), return_data=False)


def worked_out(expression: str, reading: Reading = USUAL, *, begin: int = BEGIN, **metrics: str) -> str:
    """Evaluate an expression over metrics that are written as texts; all are of the same length."""
    data = {name: series(points, begin) for name, points in metrics.items()}
    minutes = range(begin, begin + max((len(points.split()) for points in metrics.values()), default=3))
    queries = [*map(source, metrics), Query("result", expression=expression)]
    return text(evaluate(queries, lambda query: data[query.id], minutes, reading), minutes)


def until(points: Series, minute: int) -> Callable[[Query], Series]:
    """Give a source of data in which every metric has the points that had come by a minute."""
    seen = {at: value for at, value in points.items() if at <= minute}
    return lambda _: seen


def known(data: Mapping[tuple[str, str], Series], query: Query) -> Series:
    """Give the series of a metric by its name and statistic; what is not named has no data."""
    assert query.metric
    return data.get((query.metric.name, query.metric.statistic), {})

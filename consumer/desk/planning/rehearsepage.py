"""Rehearsed days as a person reads them, and as a machine does."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from consumer.desk.table import table
from consumer.fleet.rehearsal.days import Summary, summary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.fleet.rehearsal.day import Day
    from consumer.fleet.rehearsal.days import Kind

HOUR = 3600.0
WARNING = 900.0  # seconds from the window's start, until when a warning is of use
HEAD = (
    "", "deadline made", "could not be", "of these told", "finish", "latest", "container-hours", "of the least", "p99",
    "most at once", "interrupted", "$ a day",
)  # fmt: skip


def clock(since: float | None) -> str:
    """Show seconds since midnight as a time of day."""
    if since is None:
        return "never"
    days, left = divmod(round(since), 86_400)
    return f"{left // 3600:02d}:{left % 3600 // 60:02d}:{left % 60:02d}" + (f" +{days} d" if days else "")


def page(kinds: Mapping[str, Kind], played: Mapping[str, list[Day]]) -> str:
    """Lay them out for a person."""
    days = next(iter(played.values()))
    if len(played) == len(days) == 1:
        return _one(days[0])
    rows = [_row(name, _summary(kinds[name], days)) for name, days in played.items()]
    told = clock(next(iter(kinds.values())).scene.start + WARNING)
    notes = [
        f"{len(days):,} days each. Told: by {told}, that the deadline will be missed.",
        "Of the least: container-seconds over what the messages take in full containers, median and 99th percentile.",
    ]
    return "\n".join([table(HEAD, rows), "", *notes])


def _row(name: str, found: Summary) -> tuple[object, ...]:
    return (
        name,
        f"{found.made:,} of {found.days:,}",
        f"{found.days - found.feasible:,}",
        f"{found.told:,}",
        clock(found.finish_median),
        clock(found.finish_latest),
        round(found.container_seconds / HOUR, 2),
        f"{found.over_bound_median:.3f}",
        f"{found.over_bound_p99:.3f}",
        found.peak_containers,
        round(found.interrupted, 1),
        f"{found.cost:.3f}",
    )


def _one(day: Day) -> str:
    made = "made" if day.deadline_made else "missed" if day.feasible else "missed, as the most containers would have"
    rows = [
        ("messages", f"{day.messages:,}"),
        ("done", clock(day.finish)),
        ("deadline", made),
        ("told", clock(day.warned) if day.warned is not None else "nobody had to be"),
        ("containers", f"{day.peak_containers} at most, {day.started} started"),
        ("container-hours", f"{day.container_seconds / HOUR:.2f}, {day.over_bound:.3f} of the least possible"),
        ("costs", f"${day.cost:.3f}"),
        ("interrupted", f"{day.interrupted:,} messages"),
        ("failed, crashed", f"{day.failed:,}, {day.crashed:,}; {day.dead:,} dead"),
    ]
    return "\n".join(f"{name:16}  {text}" for name, text in rows)


def as_json(kinds: Mapping[str, Kind], played: Mapping[str, list[Day]]) -> dict[str, Any]:
    """Give all of it for machines: the template's days with their summary, and what it is compared with likewise."""
    found = {name: _kind(kinds[name], days) for name, days in played.items()}
    first = next(iter(found))
    return {"seed": kinds[first].seed, **found.pop(first), "compared": found}


def _kind(kind: Kind, days: list[Day]) -> dict[str, Any]:
    return {"summary": asdict(_summary(kind, days)), "days": [public(day) for day in days]}


def public(day: Day) -> dict[str, Any]:
    """Pick what machines may read of a day. Times are seconds since midnight, and as clocks show them."""
    facts = {field.name: getattr(day, field.name) for field in fields(day) if field.name != "timeline"}
    shown = {"finish": clock(day.finish) if day.finish is not None else None, "finish_seconds": day.finish}
    return facts | shown | {"over_bound": day.over_bound}


def _summary(kind: Kind, days: list[Day]) -> Summary:
    return summary(days, kind.scene.start + WARNING)

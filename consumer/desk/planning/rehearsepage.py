"""Rehearsed days as a person reads them, and as a machine does."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from consumer.desk.planning import workload
from consumer.desk.table import table
from consumer.fleet.planning.workload import HOUR
from consumer.fleet.rehearsal.days import Summary, summary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.fleet.rehearsal.day import Day
    from consumer.fleet.rehearsal.days import Kind

WARNING = 900.0  # seconds from the window's start, until when a warning is of use
HEAD = (
    "", "made", "missed", "impossible", "told", "asked", "done", "finish", "latest", "hours", "of least", "p99", "most",
    "interrupted", "$ a day",
)  # fmt: skip
NOTES = """\
{days}: those that made the deadline ({deadline}), missed it, or could not have made it with the most containers.
told: of those that did not, those of which an alarm had told by {told}. asked: for so many containers at most.
done: on which all was done, late or not; finish, latest and of least are of these. hours: of containers, a day.
of least: over what the messages take in full containers, median and 99th percentile. most: containers at once.
interrupted: runs a day that a stop gave back."""


def clock(since: float | None) -> str:
    """Show seconds since midnight as a time of day."""
    if since is None:
        return "never"
    days, left = divmod(round(since), 86_400)
    return f"{left // 3600:02d}:{left % 3600 // 60:02d}:{left % 60:02d}" + (f" +{days} d" if days else "")


def short(since: float | None) -> str:
    """Show it without its seconds."""
    return "never" if since is None else workload.clock(since)


def page(kinds: Mapping[str, Kind], played: Mapping[str, list[Day]]) -> str:
    """Lay them out for a person."""
    days = next(iter(played.values()))
    if len(played) == len(days) == 1:
        return _one(next(iter(kinds.values())), days[0])
    rows = [_row(name, _summary(kinds[name], days)) for name, days in played.items()]
    scene = next(iter(kinds.values())).scene
    counted = f"{len(days):,} days each" if len(days) > 1 else "The same day each"
    notes = NOTES.format(days=counted, deadline=short(scene.deadline), told=short(scene.start + WARNING))
    return f"{table(HEAD, rows)}\n\n{notes}"


def _row(name: str, found: Summary) -> tuple[object, ...]:
    return (
        name,
        found.made,
        found.missed,
        found.days - found.feasible,
        found.told,
        found.asked or "-",
        found.done,
        short(found.finish_median),
        short(found.finish_latest),
        f"{found.container_seconds / HOUR:.2f}",
        _ratio(found.over_bound_median),
        _ratio(found.over_bound_p99),
        found.peak_containers,
        f"{found.interrupted:.1f}",
        f"{found.cost:.3f}",
    )


def _ratio(over_bound: float | None) -> str:
    return "-" if over_bound is None else f"{over_bound:.3f}"


def _one(kind: Kind, day: Day) -> str:
    deployed, left = kind.setup.deployed, day.messages - day.succeeded - day.dead
    made = "made" if day.deadline_made else "missed" if day.feasible else "missed, as the most containers would have"
    told = clock(day.warned) + (f", that {day.asked} containers are needed" if day.asked else "")
    over = "" if day.over_bound is None else f", {day.over_bound:.3f} of the least possible"
    rows = [
        ("fleet", f"{deployed.most} containers at most, with {deployed.slots} messages in hand in each"),
        ("messages", f"{day.messages:,}"),
        ("done", clock(day.finish) + (f", {left:,} messages are left" if day.finish is None else "")),
        ("deadline", f"{short(kind.scene.deadline)}, {made}"),
        ("told", told if day.warned is not None else "nobody had to be"),
        ("containers", f"{day.peak_containers} at most, {day.started} started"),
        ("container-hours", f"{day.container_seconds / HOUR:.2f}{over}"),
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

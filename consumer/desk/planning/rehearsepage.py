"""Rehearsed days as a person reads them, and as a machine does."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, TypeAlias

from consumer.desk.table import table
from consumer.fleet.planning.said import counted, time_of_day
from consumer.fleet.planning.workload import HOUR
from consumer.fleet.rehearsal.days import Summary, summary

if TYPE_CHECKING:
    from consumer.fleet.rehearsal.day import Day
    from consumer.fleet.rehearsal.days import Kind

    Played: TypeAlias = list[tuple[Kind, list[Day]]]  # ours first

WARNING = 900.0  # seconds from the window's start, until when a warning is of use
HEAD = (
    "", "made", "missed", "impossible", "told in time", "asked", "done", "finish", "latest", "of least", "p99", "hours",
    "$ a day", "most", "interrupted",
)  # fmt: skip
NOTES = """\
{days}: those that made the deadline ({deadline}), missed it, or could not have made it with the most containers.
told in time: of those that did not, those of which an alarm had told by {told}. asked: for so many containers at most.
done: on which all was done, late or not; finish, latest and of least are of these. of least: over what the messages
take in full containers, median and 99th percentile. hours: of containers, a day. most: containers at once.
interrupted: runs a day that a stop gave back."""


def when(since: float | None, step: int = 60) -> str:
    """Show seconds since midnight, where there are any, as a time of day."""
    return "never" if since is None else time_of_day(since, step)


def page(played: Played) -> str:
    """Lay them out for a person."""
    ours, days = played[0]
    if len(played) == len(days) == 1:
        return _one(ours, days[0])
    each = f"{len(days):,} days each" if len(days) > 1 else "The same day each"
    notes = NOTES.format(days=each, deadline=time_of_day(ours.scene.deadline), told=time_of_day(_warned_by(ours)))
    return f"{table(HEAD, [_row(*one) for one in played])}\n\n{notes}"


def _row(kind: Kind, days: list[Day]) -> tuple[object, ...]:
    found = _summary(kind, days)
    return (
        kind.name,
        found.made,
        found.missed,
        found.days - found.feasible,
        found.told,
        found.asked or "-",
        found.done,
        when(found.finish_median),
        when(found.finish_latest),
        _number(found.over_bound_median),
        _number(found.over_bound_p99),
        _number(found.container_seconds / HOUR if found.done else None, 2),
        _number(found.cost if found.done else None),  # what leaves work undone is no cheaper
        found.peak_containers,
        f"{found.interrupted:.1f}",
    )


def _number(amount: float | None, places: int = 3) -> str:
    return "-" if amount is None else f"{amount:.{places}f}"


def _one(kind: Kind, day: Day) -> str:
    deployed, left = kind.setup.deployed, day.messages - day.succeeded - day.dead
    made = "made" if day.deadline_made else "missed" if day.feasible else "missed, as the most containers would have"
    over = "" if day.over_bound is None else f", {day.over_bound:.3f} of the least possible"
    remain = f", {counted(left, 'message is', 'messages are')} left" if day.finish is None else ""
    hand = f"{counted(deployed.slots, 'message')} in hand in {'it' if deployed.most == 1 else 'each'}"
    rows = [
        ("fleet", f"{counted(deployed.most, 'container')} at most, with {hand}"),
        ("messages", f"{day.messages:,}"),
        ("done", when(day.finish, 1) + remain),
        ("deadline", f"{time_of_day(kind.scene.deadline)}, {made}"),
        ("told", _told(day)),
        ("containers", f"{day.peak_containers} at most, {day.started} started"),
        ("container-hours", f"{day.container_seconds / HOUR:.2f}{over}"),
        ("costs", f"${day.cost:.3f} for its containers"),
        ("interrupted", counted(day.interrupted, "message")),
        ("failed, crashed", f"{day.failed:,}, {day.crashed:,}; {day.dead:,} dead"),
    ]
    return "\n".join(f"{name:16}  {text}" for name, text in rows)


def _told(day: Day) -> str:
    if day.warned is None:
        return "nobody had to be" if day.deadline_made else "nobody was"
    return time_of_day(day.warned, 1) + (
        f", that {counted(day.asked, 'container is', 'containers are')} needed" if day.asked else ""
    )


def as_json(played: Played) -> dict[str, Any]:
    """Give all of it for machines: the template's days with their summary, and what it is compared with likewise."""
    (ours, days), *others = played
    return {"seed": ours.seed, **_kind(ours, days), "compared": {kind.name: _kind(kind, days) for kind, days in others}}


def _kind(kind: Kind, days: list[Day]) -> dict[str, Any]:
    return {"summary": asdict(_summary(kind, days)), "days": [public(day) for day in days]}


def public(day: Day) -> dict[str, Any]:
    """Pick what machines may read of a day. Times are seconds since midnight, and as clocks show them."""
    facts = {field.name: getattr(day, field.name) for field in fields(day) if field.name != "timeline"}
    shown = {"finish": None if day.finish is None else time_of_day(day.finish, 1), "finish_seconds": day.finish}
    return facts | shown | {"over_bound": day.over_bound}


def _summary(kind: Kind, days: list[Day]) -> Summary:
    return summary(days, _warned_by(kind))


def _warned_by(kind: Kind) -> float:
    """Give when a warning must have come to be of use: soon, and in no case after the deadline."""
    return min(kind.scene.start + WARNING, kind.scene.deadline)

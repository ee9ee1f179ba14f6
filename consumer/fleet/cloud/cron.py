"""Scheduled actions: AWS cron expressions in a time zone. Pure.

Application Auto Scaling user guide, "Schedule recurring scaling actions using cron expressions": six fields, minutes,
hours, day of month, month, day of week, year; one of the two days is `?`; the time zone follows its summer time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from consumer.errors import TemplateError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")  # AWS counts from 1 for Sunday
FIELDS = (
    ("minutes", 0, 59),
    ("hours", 0, 23),
    ("day of month", 1, 31),
    ("month", 1, 12),
    ("day of week", 1, 7),
    ("year", 1970, 2199),
)
NAMED = {"month": MONTHS, "day of week": DAYS}


@dataclass(frozen=True, slots=True)
class Schedule:
    """A scheduled action: when it is due, and the bounds that it sets; None leaves one as it is."""

    name: str
    cron: str
    zone: ZoneInfo
    minimum: int | None = None
    maximum: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is no such expression. Raises TemplateError."""
        fields(self.cron)

    def due(self, minute: int) -> bool:
        """Say whether it starts in a minute (since 1970, UTC).

        A time that the clocks skip in spring is no minute, and does not come; one that they show twice in autumn comes
        once, the first time. The guide says neither; bounds that are set twice are the same bounds.
        """
        return _due(self.cron, self.zone, minute)


@lru_cache(maxsize=4096)  # a rehearsal asks for the same minutes on each of its days
def _due(cron: str, zone: ZoneInfo, minute: int) -> bool:
    here = datetime.fromtimestamp(minute * 60, UTC).astimezone(zone)
    when = (here.minute, here.hour, here.day, here.month, here.isoweekday() % 7 + 1, here.year)
    return not here.fold and all(value in allowed for value, allowed in zip(when, fields(cron), strict=True))


@lru_cache(maxsize=64)
def fields(cron: str) -> tuple[frozenset[int] | range, ...]:
    """Read `cron(...)` into what each of its fields allows. Raises TemplateError naming the field."""
    found = re.fullmatch(r"cron\((.*)\)", cron.strip())
    texts = found[1].split() if found else []
    if len(texts) != len(FIELDS):
        raise TemplateError(f"schedule {cron!r}: expected cron() with the six fields {', '.join(f[0] for f in FIELDS)}")
    if (texts[2] == "?") == (texts[4] == "?"):
        raise TemplateError(f"schedule {cron!r}: exactly one of day of month and day of week must be ?")
    return tuple(_field(cron, text, *field) for text, field in zip(texts, FIELDS, strict=True))


def _field(cron: str, text: str, name: str, low: int, high: int) -> frozenset[int] | range:
    if text == "*" or (text == "?" and name.startswith("day")):
        return range(low, high + 1)
    try:
        allowed = frozenset().union(*(_part(part, name, low, high) for part in text.split(",")))
    except ValueError as error:
        raise TemplateError(f"schedule {cron!r}: {text!r} is no {name} that is known here") from error
    if not allowed or not low <= min(allowed) <= max(allowed) <= high:
        raise TemplateError(f"schedule {cron!r}: {name} must be from {low} to {high}, got {text}")
    return allowed


def _part(part: str, name: str, low: int, high: int) -> range:
    """Read a value, `*`, a range, or one of these with a step."""
    body, _, step = part.partition("/")
    first, _, last = body.partition("-")
    begin = low if first == "*" else _number(first, name)
    end = _number(last, name) if last else high if first == "*" or step else begin
    return range(begin, end + 1, int(step or 1))


def _number(text: str, name: str) -> int:
    names = NAMED.get(name, ())
    return names.index(text.upper()) + 1 if text.upper() in names else int(text)

"""Files of what was: when the messages of a day came, and how long they took."""

from __future__ import annotations

import json
from array import array
from datetime import date, datetime, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from consumer.errors import ConsumerError, problem
from consumer.fleet.planning.said import counted, time_of_day
from consumer.fleet.planning.workload import DAY, HOUR
from consumer.limits import VISIBILITY_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from consumer.fleet.planning.workload import Workload

EARLY = HOUR  # seconds before the window in which messages may come; what is earlier came after midnight
SHOWN = 100  # characters of what is wrong
TRACE = 'seconds a line, 12 h at most: 12.5, or {"seconds": 12.5}'


def arrivals(path: Path, opens: float, zone: str) -> array[float]:
    """Read when messages came, a time a line; give seconds since midnight of the day on which the window opens.

    Where there are dates, they must be those of one such day, by the clock in the zone.
    """
    here, begins = ZoneInfo(zone), opens - EARLY
    times = _numbers(
        path,
        lambda line: _moment(line, here),
        "a time such as 04:00:07, 2026-11-20T04:00:07 or, with an offset, 2026-11-19T19:00:07Z a line",
    )
    dated = [at for at in times if at >= DAY]
    if dated and (min(dated) - begins) // DAY != (max(dated) - begins) // DAY:
        first, last = (
            f"{date.fromordinal(int(at // DAY))} {time_of_day(at % DAY, 1)}" for at in (min(dated), max(dated))
        )
        wanted = "the times of one day, which begins an hour before --from"
        raise ConsumerError(problem(str(path), wanted, f"{first} to {last} {zone}", "make a file of each day"))
    return array("d", sorted((at - begins) % DAY + begins for at in times))


def trace(path: Path) -> array[float]:
    """Read how long messages took: a number or an object with `seconds` a line, or a container's log."""
    found = _numbers(path, _length, TRACE)
    if not any(found):
        raise ConsumerError(problem(str(path), TRACE, "nothing but zeros", "name another file"))
    return found


def outside(times: Sequence[float], load: Workload, zone: str) -> str:
    """Say how many messages come while nobody waits for them; nothing where none does."""
    opens, deadline = load.opens, load.opens + load.window
    found = [at for at in times if not opens <= at <= deadline]
    if not found:
        return ""
    share = f"{len(found):,} of {counted(len(times), 'message')} come between"
    first, last, begin, end = map(time_of_day, (min(found), max(found), opens, deadline))
    return f"{share} {first} and {last} {zone}, outside {begin} to {end}: is --timezone right?"


def _moment(line: str, here: ZoneInfo) -> float:
    """Give seconds since midnight; with a date, since the midnight from which Python counts its days."""
    try:
        found = datetime.fromisoformat(line)
    except ValueError:
        at, day = time.fromisoformat(line), 0
    else:
        found = found.astimezone(here) if found.tzinfo else found
        at, day = found.time(), found.toordinal()
    if at.tzinfo:
        raise ValueError("an offset without a date")
    return day * DAY + at.hour * HOUR + at.minute * 60 + at.second + at.microsecond / 1e6


def _length(line: str) -> float | None:
    """Give seconds; of a container's log only those of runs that returned: a repeat that is not run is done, too."""
    found = json.loads(line)
    if isinstance(found, dict):
        if "event" in found and (found["event"], found.get("cause")) != ("delivered", "returned"):
            return None
        found = found["seconds"]
    length = float(found)
    if isinstance(found, bool) or not 0 <= length <= VISIBILITY_MAX:
        raise ValueError(line)
    return length


def _numbers(path: Path, read: Callable[[str], float | None], expected: str) -> array[float]:
    found, read_so_far, line = array("d"), 0, ""
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                read_so_far += 1
                if line.strip() and (number := read(line.strip())) is not None:
                    found.append(number)
    except (OSError, UnicodeError) as error:
        got = "no such file" if isinstance(error, FileNotFoundError) else str(error)[:SHOWN]
        raise ConsumerError(problem(str(path), expected, got, "name another file")) from error
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        where = f"{path}, line {read_so_far}"
        raise ConsumerError(problem(where, expected, repr(line.strip()[:SHOWN]), "correct it")) from error
    if not found:
        raise ConsumerError(problem(str(path), expected, "nothing", "name another file"))
    return found

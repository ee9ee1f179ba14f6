"""Times and seconds as people and files have them."""

from __future__ import annotations

import json
import math
import re
from argparse import ArgumentTypeError
from array import array
from datetime import datetime, time
from typing import TYPE_CHECKING

from consumer.errors import ConsumerError, problem
from consumer.fleet.planning.workload import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": HOUR}
EARLY = HOUR  # seconds before the window in which messages may come; what is earlier came after midnight


def seconds(word: str) -> float:
    """Read a length of time, such as 90, 90s, 20m or 2h."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", word)
    if not found:
        raise ArgumentTypeError(f"expected a length of time such as 90s, 20m or 2h; got {word!r}")
    return float(found[1]) * UNITS[found[2]]


def moments(path: Path, opens: float) -> array[float]:
    """Read when messages came, a time a line; give seconds since midnight of the day on which the window opens."""
    times = _numbers(path, _moment, "a time such as 04:00:07 or 2026-11-20T04:00:07 a line")
    return array("d", sorted(at + DAY if at < opens - EARLY else at for at in times))


def trace(path: Path) -> array[float]:
    """Read how long messages took, a number or an object with `seconds` a line."""
    return _numbers(path, _length, 'seconds a line: 12.5, or {"seconds": 12.5}')


def _moment(line: str) -> float:
    at = (
        datetime.fromisoformat(line).time()
        if len(line) > len("00:00:00.000000") or "-" in line
        else time.fromisoformat(line)
    )
    return at.hour * HOUR + at.minute * 60.0 + at.second + at.microsecond / 1e6


def _length(line: str) -> float:
    found = json.loads(line)
    length = float(found["seconds"] if isinstance(found, dict) else found)
    if not 0 <= length < math.inf:
        raise ValueError("not a length of time")
    return length


def _numbers(path: Path, read: Callable[[str], float], expected: str) -> array[float]:
    found, read_so_far = array("d"), 0
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                read_so_far += 1
                if line.strip():
                    found.append(read(line.strip()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        where = f"{path}, line {read_so_far}" if read_so_far else str(path)
        raise ConsumerError(problem(where, expected, str(error), "correct it")) from error
    if not found:
        raise ConsumerError(problem(str(path), expected, "nothing", "name another file"))
    return found

"""Words of the command line, read into what they mean; argparse shows what is wrong with them."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from zoneinfo import ZoneInfo

from consumer.fleet.planning.workload import DAY, HOUR
from consumer.limits import LONGEST_RUN

NUMBER = r"(\d+(?:\.\d+)?)"
RUN = re.compile(rf"{NUMBER}(?:(?:\.\.{NUMBER})?\.\.{NUMBER})?")
LENGTH = re.compile(rf"{NUMBER}([smh])")
TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
UNITS = {"s": 1.0, "m": 60.0, "h": HOUR}
SAID_OTHERWISE = {"Deadline": "--by", "TimeZone": "--timezone", "AssignPublicIp": "--private"}
LARGEST = 10**9
LARGEST_FACTOR = 1000.0
LARGEST_SIGMA = 10.0  # the largest of a thousand is then 10 ** 13 times the usual one


def count(word: str, most: int = LARGEST) -> int:
    """Read a number of things, one at least; 2_000 is two thousand, and so is 2,000."""
    try:
        number = int(word.replace(",", ""))
    except ValueError:
        number = 0
    if not 1 <= number <= most:
        raise ArgumentTypeError(f"expected a whole number from 1 to {most:,}; got {word!r}")
    return number


def run(word: str) -> tuple[float, float, float]:
    """Read the shortest, the average and the longest run."""
    found = RUN.fullmatch(word)
    if found:
        shortest, middle, longest = float(found[1]), found[2], float(found[3] or found[1])
        mean = float(middle) if middle else (shortest + longest) / 2
        if 0 < shortest <= mean <= longest <= LONGEST_RUN:
            return shortest, mean, longest
    raise ArgumentTypeError(
        f"expected seconds as 30..300, as 30..90..300 with the average, or as 60, at most {LONGEST_RUN:g} since SQS "
        f"gives a message 12 h; got {word!r}"
    )


def length(word: str) -> float:
    """Read a length of time, such as 20s, 20m or 2h: who leaves out the unit mostly means minutes."""
    found = LENGTH.fullmatch(word)
    seconds = float(found[1]) * UNITS[found[2]] if found else -1.0
    if not 0 <= seconds <= DAY:
        raise ArgumentTypeError(f"expected a length of time such as 20s, 20m or 2h, at most a day; got {word!r}")
    return seconds


def seconds(word: str) -> float:
    """Read a number of seconds."""
    return _number(word, DAY, "seconds, more than 0 and at most a day's", above=True)


def time(word: str) -> float:
    """Read a time of day; give its seconds since midnight."""
    found = TIME.fullmatch(word)
    if not found:
        raise ArgumentTypeError(f"expected a time such as 09:00; got {word!r}")
    return int(found[1]) * HOUR + int(found[2]) * 60.0


def zone(word: str) -> str:
    """Check a time zone's name."""
    try:
        return ZoneInfo(word).key
    except (ValueError, KeyError, OSError) as error:
        raise ArgumentTypeError(f"expected a time zone such as UTC or Asia/Tokyo; got {word!r}") from error


def share(word: str) -> float:
    """Read a share of a whole."""
    return _number(word, 1.0, "a share from 0 to 1")


def factor(word: str) -> float:
    """Read a factor."""
    return _number(word, LARGEST_FACTOR, f"a number above 0, at most {LARGEST_FACTOR:g}", above=True)


def sigma(word: str) -> float:
    """Read how far a lognormal's draws lie apart."""
    return _number(word, LARGEST_SIGMA, f"a number from 0 to {LARGEST_SIGMA:g}")


def parameter(word: str) -> tuple[str, str]:
    """Read the name and value of one of the template's parameters."""
    name, equals, value = word.partition("=")
    if not equals:
        raise ArgumentTypeError(f"expected NAME=VALUE; got {word!r}")
    if name in SAID_OTHERWISE:
        raise ArgumentTypeError(f"expected one without an argument of its own; say {name} with {SAID_OTHERWISE[name]}")
    return name, value


def _number(word: str, most: float, expected: str, *, above: bool = False) -> float:
    """Read a number from 0, or from above it, to the most."""
    try:
        found = float(word)
    except ValueError:
        found = -1.0
    if not 0 <= found <= most or (above and not found):
        raise ArgumentTypeError(f"expected {expected}; got {word!r}")
    return found

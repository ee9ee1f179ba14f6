"""The arguments that say what a day brings, and between which times: of `consumer plan` and whoever plans with it."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from consumer.errors import SettingsError, problem
from consumer.fleet.planning import calibration, price
from consumer.fleet.planning.workload import DAY, HOUR, LONGEST_RUN, Workload
from consumer.window import LATE

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from consumer.fleet.planning.calibration import Calibration
    from consumer.fleet.planning.price import Prices

NUMBER = r"(\d+(?:\.\d+)?)"
SECONDS = re.compile(rf"{NUMBER}(?:(?:\.\.{NUMBER})?\.\.{NUMBER})?")
TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what a day brings, and where figures and prices come from."""
    parser.add_argument("--messages", type=count, required=True, metavar="N", help="messages on a usual day")
    parser.add_argument(
        "--seconds", type=seconds, required=True, metavar="A..B", help="that one takes: 30..300, 30..90..300 with the "
        "average in the middle, or 60",
    )  # fmt: skip
    parser.add_argument("--from", dest="opens", type=time, required=True, metavar="HH:MM", help="when they are there")
    parser.add_argument("--by", type=time, required=True, metavar="HH:MM", help="when all must be done")
    parser.add_argument("--timezone", type=zone, default="UTC", metavar="NAME", help="of both times (default: UTC)")
    parser.add_argument("--region", default=price.REGION, help=f"whose prices count (default: {price.REGION})")
    parser.add_argument("--prices", type=Path, metavar="FILE", help="your own prices, in the form of ours")
    parser.add_argument("--calibrated", type=Path, metavar="FILE", help="measured memory and CPU of your handler")


def load(arguments: Namespace) -> Workload:
    """Give what the arguments ask for. Raises SettingsError when the window is longer than a fleet can tell.

    For some hours after a deadline what is in the queue is late, to the containers; only then is it early for the next.
    """
    shortest, mean, longest = arguments.seconds
    found = Workload(arguments.messages, shortest, mean, longest, arguments.opens, arguments.by)
    if found.window > DAY - LATE:
        got = f"--from {clock(found.opens)} --by {clock(found.deadline)}"
        remedy = "name an earlier deadline; a queue that is never done needs no plan but a fixed fleet"
        expected = (
            f"at most {(DAY - LATE) / 3600:g} hours after --from, since what comes sooner after a deadline is late"
        )
        raise SettingsError([problem("--by", expected, got, remedy)])
    return found


def figures(arguments: Namespace) -> Calibration:
    """Read the measured figures, or give the defaults. Raises PlanError."""
    return calibration.read(arguments.calibrated) if arguments.calibrated else calibration.Calibration()


def prices(arguments: Namespace) -> Prices:
    """Read the prices. Raises PlanError."""
    return price.load(arguments.region, arguments.prices)


def count(word: str) -> int:
    """Read a number of things, one at least; 2_000 is two thousand, and so is 2,000."""
    try:
        number = int(word.replace(",", ""))
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError(f"expected a whole number, 1 or more; got {word!r}")
    return number


def seconds(word: str) -> tuple[float, float, float]:
    """Read the shortest, the average and the longest run."""
    found = SECONDS.fullmatch(word)
    if found:
        shortest, middle, longest = float(found[1]), found[2], float(found[3] or found[1])
        mean = float(middle) if middle else (shortest + longest) / 2
        if 0 < shortest <= mean <= longest <= LONGEST_RUN:
            return shortest, mean, longest
    raise ArgumentTypeError(
        f"expected seconds as 30..300, as 30..90..300 with the average, or as 60, at most {LONGEST_RUN:g} since SQS "
        f"gives a message 12 h; got {word!r}"
    )


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


def clock(since: float) -> str:
    """Show seconds since midnight as a time of day, and how many days later that is."""
    days, left = divmod(int(-(-since // 60)) * 60, int(DAY))  # a bound is rounded up
    later = f" +{days} d" if days else ""
    return f"{left // 3600:02d}:{left % 3600 // 60:02d}{later}"

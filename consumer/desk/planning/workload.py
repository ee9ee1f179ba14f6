"""The arguments that say what a day brings, and between which times: of `consumer plan` and whoever plans with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from consumer.desk.planning import words
from consumer.errors import SettingsError, problem
from consumer.fleet.planning import calibration, price
from consumer.fleet.planning.bills import Market
from consumer.fleet.planning.said import time_of_day
from consumer.fleet.planning.workload import DAY, Workload
from consumer.window import LATE

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what a day brings, and where figures and prices come from."""
    add = parser.add_argument
    add("--messages", type=words.count, required=True, metavar="N", help="messages on a usual day")
    add(
        "--seconds", type=words.run, required=True, metavar="A..B",
        help="that one takes: 30..300, 30..90..300 with the average in the middle, or 60",
    )  # fmt: skip
    add("--from", dest="opens", type=words.time, required=True, metavar="HH:MM", help="when they are there")
    add("--by", type=words.time, required=True, metavar="HH:MM", help="when all must be done")
    add("--timezone", type=words.zone, default="UTC", metavar="NAME", help="of both times (default: UTC)")
    add("--region", default=price.REGION, help=f"whose prices count (default: {price.REGION})")
    add("--prices", type=Path, metavar="FILE", help="your own prices, in the form of ours")
    add("--calibrated", type=Path, metavar="FILE", help="measured memory and CPU of your handler")
    add("--private", action="store_true", help="containers without a public address of their own")


def load(arguments: Namespace) -> Workload:
    """Give what the arguments ask for. Raises SettingsError when the window is longer than a fleet can tell.

    For some hours after a deadline what is in the queue is late, to the containers; only then is it early for the next.
    """
    shortest, mean, longest = arguments.seconds
    found = Workload(arguments.messages, shortest, mean, longest, arguments.opens, arguments.by)
    if found.window > DAY - LATE:
        got = f"--from {time_of_day(found.opens)} --by {time_of_day(found.deadline)}"
        remedy = "name an earlier deadline; a queue that is never done needs no plan but a fixed fleet"
        expected = (
            f"at most {(DAY - LATE) / 3600:g} hours after --from, since what comes sooner after a deadline is late"
        )
        raise SettingsError([problem("--by", expected, got, remedy)])
    return found


def market(arguments: Namespace) -> Market:
    """Read the prices, and the measured figures or the defaults. Raises PlanError."""
    prices = price.load(arguments.region, arguments.prices)
    figures = calibration.read(arguments.calibrated) if arguments.calibrated else calibration.Calibration()
    return Market(prices, figures, public_ip=not arguments.private)

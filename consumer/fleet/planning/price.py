"""What AWS charges: a dated table with a source for each figure, and what seconds of a container or a function cost.

Pure but for reading the table: the one in the package, and a file of the same form that wins over it. Free tiers are
left out of every figure; FREE says what they hold.
"""

from __future__ import annotations

import datetime as dt
import math
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from consumer.errors import PlanError, problem, respelled
from consumer.fleet.planning.workload import HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REGION = "us-east-1"
ANYWHERE = "*"
MONTH_DAYS = 30  # of a month in every figure here, as AWS's own examples have it
SHORTEST_BILL = 60.0  # seconds of a Fargate task or an address (https://aws.amazon.com/fargate/pricing/)

FARGATE = tuple(
    f"fargate_{chip}{spot}_{unit}_hour" for chip in ("x86", "arm") for spot in ("", "_spot") for unit in ("vcpu", "gb")
)
ITEMS = (
    *FARGATE, "lambda_x86_gb_second", "lambda_arm_gb_second", "lambda_request", "sqs_request", "metric_month",
    "alarm_metric_month", "public_ipv4_hour",
)  # fmt: skip
ABOUT = ("regions", "date", "source")


@dataclass(frozen=True, slots=True)
class FreeTier:
    """What an account has each month before it pays anything (https://aws.amazon.com/free/)."""

    lambda_gb_seconds: float = 400_000.0
    lambda_requests: int = 1_000_000
    sqs_requests: int = 1_000_000
    metrics: int = 10
    alarm_metrics: int = 10


FREE = FreeTier()


@dataclass(frozen=True, slots=True)
class Price:
    """One figure: dollars, the day it was published or read, and where."""

    dollars: float
    date: dt.date
    source: str


@dataclass(frozen=True, slots=True)
class Prices:
    """The prices of one region."""

    region: str
    table: Mapping[str, Price]

    def dollars(self, item: str) -> float:
        """Give one price. Raises PlanError when the table has none for this region."""
        return self.of(item).dollars

    def of(self, item: str) -> Price:
        """Give one price with its date and source. Raises PlanError when the table has none for this region."""
        if item not in self.table:
            example = f'a block with regions = ["{self.region}"], date, source and {item}'
            raise PlanError(
                problem(f"prices of {self.region}", item, "none", f"give a file with it (--prices FILE): {example}")
            )
        return self.table[item]


def load(region: str = REGION, override: Path | None = None) -> Prices:
    """Read the table for a region; a file of the same form wins, and must know the region. Raises PlanError."""
    table = _for(region, _packaged())
    if override is not None:
        blocks = _parsed(_text(override), str(override))
        if not (own := _for(region, blocks)):  # a slip would else have the list's prices count, without a word
            named = ", ".join(sorted({one for regions, _ in blocks for one in regions}))
            wanted = f"a price for {region}, or for {ANYWHERE}"
            raise PlanError(problem(str(override), wanted, f"some for {named}", "add one, or leave the file out"))
        table |= own
    if not any(item in table for item in FARGATE):
        known = ", ".join(sorted({one for regions, _ in _packaged() for one in regions} - {ANYWHERE}))
        raise PlanError(
            problem("--region", f"one of {known}", region, "name a near one, or give its prices (--prices FILE)")
        )
    return Prices(region, table)


def per_second(cpu_vcpu: float, memory_gib: float, *, arm: bool, spot: bool, prices: Prices, public_ip: bool) -> float:
    """Give the dollars for a second of one Fargate task, or of an AWS Batch job on Fargate, which costs the same.

    cpu_vcpu: 0.25 to 16. memory_gib: its memory in GiB. public_ip: with the public IPv4 address that a task in a
    public subnet needs. A task is billed from the start of its image's pull until its end, for a minute at least.
    """
    kind = f"fargate_{'arm' if arm else 'x86'}{'_spot' if spot else ''}"
    hour = cpu_vcpu * prices.dollars(f"{kind}_vcpu_hour") + memory_gib * prices.dollars(f"{kind}_gb_hour")
    return (hour + public_ip * prices.dollars("public_ipv4_hour")) / HOUR


def billed(seconds: float) -> float:
    """Give the seconds that are billed for a task that lived for so many: rounded up, a minute at least."""
    return max(SHORTEST_BILL, math.ceil(seconds))


def function(runs: float, seconds: float, memory_gib: float, *, arm: bool, prices: Prices) -> float:
    """Give the dollars for so many runs of a Lambda function, of so many seconds each on average."""
    rate = prices.dollars(f"lambda_{'arm' if arm else 'x86'}_gb_second")
    return runs * (seconds * memory_gib * rate + prices.dollars("lambda_request"))


def requests(count: float, prices: Prices) -> float:
    """Give the dollars for so many requests to a standard queue; an empty receive is one too, and so are 64 KiB."""
    return count * prices.dollars("sqs_request")


def watching(metrics: float, alarm_metrics: float, prices: Prices, *, share: float = 1.0) -> float:
    """Give the dollars a month for custom metrics and alarms.

    share: of the month's hours in which the metrics are sent, which is what CloudWatch bills. alarm_metrics: metrics
    that the alarms refer to; an alarm on metric math over three is three, whatever the hour.
    """
    return metrics * share * prices.dollars("metric_month") + alarm_metrics * prices.dollars("alarm_metric_month")


Block = tuple[tuple[str, ...], dict[str, Price]]


@cache
def _packaged() -> tuple[Block, ...]:
    return _parsed((files(__package__) / "prices.toml").read_text(encoding="utf-8"), "prices.toml")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(problem("--prices", "a file that can be read", f"{path}: {error}", "check the path")) from error


def _for(region: str, blocks: tuple[Block, ...]) -> dict[str, Price]:
    """Gather a region's prices; its own win over those for everywhere, and a later block over an earlier one."""
    table: dict[str, Price] = {}
    for wanted in (ANYWHERE, region):
        for regions, figures in blocks:
            if wanted in regions:
                table |= figures
    return table


def _parsed(text: str, name: str) -> tuple[Block, ...]:
    try:
        blocks = tomllib.loads(text).get("price", [])
    except tomllib.TOMLDecodeError as error:
        raise PlanError(problem(name, "TOML", str(error), "correct that line")) from error
    if not isinstance(blocks, list) or not blocks:
        raise PlanError(problem(name, "[[price]] blocks", "none", "write one as in prices.toml"))
    return tuple(_block(block, f"{name}, price {number}") for number, block in enumerate(blocks, 1))


def _block(block: Any, name: str) -> Block:  # noqa: ANN401 - as TOML gives it
    if not isinstance(block, dict):
        raise PlanError(problem(name, "a [[price]] block", repr(block), "write one as in prices.toml"))
    regions, date, source = (block.get(word) for word in ABOUT)
    if not (isinstance(regions, list) and regions and all(isinstance(one, str) for one in regions)):
        raise PlanError(problem(f"{name}, regions", 'a list such as ["us-east-1"]', repr(regions), "name them"))
    if not isinstance(date, dt.date):
        raise PlanError(problem(f"{name}, date", "a day such as 2026-09-29", repr(date), "say when that was the price"))
    if not (isinstance(source, str) and source.strip()):
        raise PlanError(problem(f"{name}, source", "where the price is from", repr(source), "say it"))
    figures = {
        item: Price(_dollars(value, item, name), date, source) for item, value in block.items() if item not in ABOUT
    }
    return tuple(regions), figures


def _dollars(value: object, item: str, name: str) -> float:
    if item not in ITEMS:
        raise PlanError(problem(name, f"one of {', '.join(ITEMS)}", item, respelled(item, ITEMS)))
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise PlanError(problem(f"{name}, {item}", "dollars, 0 or more", repr(value), "write a number such as 0.04"))
    return float(value)

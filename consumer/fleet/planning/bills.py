"""What a fleet costs: its containers' seconds, its requests to the queue, and being watched. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consumer.fleet import metrics
from consumer.fleet.planning import capacity, price
from consumer.fleet.planning.hours import held
from consumer.fleet.planning.price import FREE, MONTH_DAYS
from consumer.fleet.planning.workload import DAY, HOUR
from consumer.limits import HEARTBEAT

if TYPE_CHECKING:
    from consumer.fleet.cloud.sizes import Size
    from consumer.fleet.planning.calibration import Calibration
    from consumer.fleet.planning.capacity import Fleet
    from consumer.fleet.planning.price import Prices
    from consumer.fleet.planning.workload import Workload

BILLED_START = 60.0  # of a container's start, the seconds that are paid: from the pull of its image on
DRAINED = 180.0  # seconds from the last message until the fleet is gone: two counts of zero, two of the alarm, the stop
METRICS = len(metrics.ALL)  # that a fleet sends
ALARM_METRICS = 13  # that the template's alarms refer to
NEAR = 1.1  # times the cheapest: for so little more a smaller container is taken, with which less is lost at once


@dataclass(frozen=True, slots=True)
class Bill:
    """Dollars: of a usual day, of a month, and of a month with the free tier of which nothing else takes a share.

    A day is without what is paid by the month: metrics and alarms.
    """

    day: float
    month: float
    after_free: float


@dataclass(frozen=True, slots=True)
class Market:
    """What things cost, how much of them is taken, and whether a container has a public address."""

    prices: Prices
    figures: Calibration
    public_ip: bool = True

    def second(self, size: Size, *, arm: bool = True, spot: bool = False) -> float:
        """Give the dollars for a second of one container."""
        return price.per_second(size.vcpu, size.gib, arm=arm, spot=spot, prices=self.prices, public_ip=self.public_ip)


def bill(
    load: Workload, fleet: Fleet, market: Market, *, arm: bool = True, spot: bool = False, lived: float | None = None
) -> Bill:
    """Bill a fleet, all of which lives until the queue is empty and FreeTime has come, or for so many seconds."""
    if lived is None:
        lived = max(BILLED_START + capacity.makespan(load, fleet.slots) + DRAINED, held(load.window))
    running = fleet.containers * price.billed(lived) * market.second(fleet.shape.size, arm=arm, spot=spot)
    asked = load.messages * (2 + load.mean / HEARTBEAT)  # receive, delete, and in between
    share = min(1.0, math.ceil(lived / HOUR) * HOUR / DAY)  # CloudWatch bills by the hour
    day = running + price.requests(asked, market.prices)
    return Bill(
        day,
        MONTH_DAYS * day + price.watching(METRICS, ALARM_METRICS, market.prices, share=share),
        MONTH_DAYS * running + _beyond_free(MONTH_DAYS * asked, market.prices),
    )


def _beyond_free(asked: float, prices: Prices) -> float:
    watching = price.watching(max(0, METRICS - FREE.metrics), max(0, ALARM_METRICS - FREE.alarm_metrics), prices)
    return watching + price.requests(max(0.0, asked - FREE.sqs_requests), prices)


def recommended(load: Workload, fleets: list[Fleet], market: Market) -> Fleet | None:
    """Give the fleet to deploy: of those that cost hardly more than the cheapest, the one of small containers."""
    months = {one: bill(load, one, market).month for one in fleets}
    near = [one for one, month in months.items() if month <= NEAR * min(months.values())]
    return min(near, key=lambda one: (market.second(one.shape.size), months[one]), default=None)

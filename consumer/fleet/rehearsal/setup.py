"""What is rehearsed: a container's size, the rules of scaling, and the price of a second."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from consumer.fleet.cloud.metricmath import USUAL, Query, Reading, Series
from consumer.fleet.cloud.scaling import Policy, Scaler, Target
from consumer.fleet.cloud.sizes import GIB, UNITS
from consumer.fleet.planning.price import per_second
from consumer.settings import Settings, drain_of

if TYPE_CHECKING:
    from datetime import tzinfo

    from consumer.fleet.cloud.alarms import Alarm
    from consumer.fleet.cloud.cron import Schedule
    from consumer.fleet.cloud.template import Deployment
    from consumer.fleet.planning.bills import Market
    from consumer.fleet.rehearsal.board import Board

TIME_LIMIT: float = Settings.model_fields["time_limit"].default
GRACE: float = Settings.model_fields["time_limit_grace"].default
ANY_DAY = (2026, 7, 1)  # no change of summer time anywhere near it
WARNINGS = ("late", "at-risk")  # how the names of the alarms end that tell people that the deadline is in danger


@dataclass(frozen=True, slots=True)
class Deployed:
    """What is deployed, as far as it is no rule of scaling.

    slots: messages that a container has in hand at once. most: containers that there may be. drain: seconds that a
    container has once it is told to stop. limit: those that one run may take. base: containers that are never Spot.
    spot: Spot's share of the others. expected: seconds of a message that the containers are told to expect. cpu:
    percent of a container's CPU that a message takes, which mostly waits. on_demand, spot_price: dollars for a
    container's second.
    """

    slots: int
    most: int
    drain: float = 95.0
    limit: float = TIME_LIMIT
    base: int = 0
    spot: float = 0.0
    expected: float | None = None
    cpu: float = 2.0
    on_demand: float = 0.0
    spot_price: float = 0.0

    @property
    def lease(self) -> float:
        """Seconds of protection against scale-in: one run's, and two tries to renew it; container/protection.py."""
        return 60.0 * min(120, max(10, math.ceil((self.limit + GRACE + 120.0) / 60)))


@dataclass(frozen=True, slots=True)
class Setup:
    """All of it. warnings: the names of the alarms that tell people that the deadline is in danger."""

    name: str
    deployed: Deployed
    zone: tzinfo
    policies: tuple[Policy, ...]
    alarms: tuple[Alarm, ...]
    schedules: tuple[Schedule, ...]
    warnings: frozenset[str] = frozenset()
    reading: Reading = USUAL

    @property
    def midnight(self) -> int:
        """The minute (since 1970, UTC) at which the rehearsed day begins."""
        return int(datetime(*ANY_DAY, tzinfo=self.zone).astimezone(UTC).timestamp() // 60)

    def rules(self) -> Rules:
        """Give the rules as they are at the beginning of a day: nothing runs."""
        target = Target(0, self.deployed.most)
        return Rules(
            Scaler(target, self.policies, self.alarms, self.schedules, self.reading), self.midnight, self.warnings
        )


def of(deployment: Deployment, market: Market, name: str = "ours") -> Setup:
    """Give what a template deploys."""
    names = {policy.name for policy in deployment.policies}
    warnings = frozenset(alarm.name for alarm in deployment.alarms if alarm.name.endswith(WARNINGS))
    watched = tuple(one for one in deployment.alarms if names.intersection(one.actions) or one.name in warnings)
    second = partial(
        per_second, deployment.cpu / UNITS, deployment.memory_mib / GIB,
        arm=deployment.architecture == "ARM64", prices=market.prices, public_ip=market.public_ip,
    )  # fmt: skip
    expected = float(deployment.settings.get("CONSUMER_EXPECTED_SECONDS", 0)) or None
    deployed = Deployed(
        slots=deployment.slots,
        most=deployment.most,
        drain=drain_of(deployment.stop_timeout),
        limit=float(deployment.settings.get("CONSUMER_TIME_LIMIT", TIME_LIMIT)),
        base=deployment.on_demand,
        spot=deployment.spot_share,
        expected=expected,
        cpu=100 * market.figures.message_cpu / (deployment.cpu / UNITS),
        on_demand=second(spot=False),
        spot_price=second(spot=True),
    )
    zone = deployment.schedules[0].zone if deployment.schedules else UTC
    return Setup(name, deployed, zone, deployment.policies, watched, deployment.schedules, warnings)


@dataclass(slots=True)
class Rules:
    """The rules of one setup, over one day."""

    scaler: Scaler
    midnight: int
    warnings: frozenset[str]
    _template: Target = field(init=False)

    def __post_init__(self) -> None:
        """Keep what the template says of the bounds."""
        self._template = self.scaler.target

    @property
    def warns(self) -> bool:
        """Whether people are being told that the deadline is in danger."""
        states = self.scaler.watch.states
        return any(states.get(name) == "ALARM" for name in self.warnings)

    def minute(self, now: float, board: Board, desired: int, running: int) -> int:
        """Say how many containers are wanted. now: seconds since midnight."""
        self.scaler.target = replace(self.scaler.target, desired=desired)

        def data(query: Query) -> Series:
            metric = query.metric
            return board.series(metric.namespace, metric.name, metric.statistic) if metric else {}

        return self.scaler.minute(self.midnight + int(now // 60), data, running)

    @property
    def closed(self) -> bool:
        """Whether no container may run."""
        return self.scaler.target.maximum == 0

    def apply_again(self, most: int | None = None) -> None:
        """Have a deployment apply the template, with its own bounds, of which people may have raised the maximum."""
        if most is not None:
            self._template = replace(self._template, maximum=most)
        self.scaler.target = replace(self._template, desired=self.scaler.target.desired)

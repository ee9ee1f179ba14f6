"""What is rehearsed: a deployment, its container as a day needs it, and the rules of scaling."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from consumer.errors import TemplateError
from consumer.fleet.cloud.scaling import Scaler, Target, TargetTracking
from consumer.fleet.rehearsal.cloudwatch import STATISTICS
from consumer.fleet.rehearsal.published import TOLD
from consumer.limits import GRACE, TIME_LIMIT, drain_of, leased

if TYPE_CHECKING:
    from consumer.fleet.cloud.cron import Schedule
    from consumer.fleet.cloud.metricmath import Query, Series
    from consumer.fleet.cloud.template import Deployment
    from consumer.fleet.planning.bills import Market
    from consumer.fleet.rehearsal.cloudwatch import Board

ANY_DAY = (2026, 7, 1)  # no change of summer time anywhere near it
WARNINGS = ("late", "at-risk")  # how the names of the alarms end that tell people that the deadline is in danger
EARLY, EARLIEST = 60, 720  # minutes before the window: a day begins then; by an opening schedule, no earlier than then
WEEK = 10_080  # minutes in which schedules are looked for that have set the bounds


@dataclass(frozen=True, slots=True)
class Deployed:
    """What is deployed, as far as it is no rule of scaling.

    slots: messages that a container has in hand at once. most: containers that there may be. drain: seconds that a
    container has once it is told to stop. base: containers that are never Spot. spot: Spot's share of the others.
    expected: seconds of a message that the containers are told to expect. cpu: percent of a container's CPU that a
    message takes, which mostly waits. on_demand, spot_price: dollars for a container's second. time_limit: seconds
    after which a run is ended.
    """

    slots: int
    most: int
    drain: float = 95.0
    base: int = 0
    spot: float = 0.0
    expected: float | None = None
    cpu: float = 2.0
    on_demand: float = 0.0
    spot_price: float = 0.0
    time_limit: float = TIME_LIMIT

    @property
    def limit(self) -> float:
        """Seconds that one run may take, the grace after its time limit included."""
        return self.time_limit + GRACE

    @property
    def lease(self) -> float:
        """Seconds of protection against scale-in."""
        return 60.0 * leased(self.limit)


@dataclass(frozen=True, slots=True)
class Setup:
    """All of it. Of the deployment's alarms only those that are watched."""

    name: str
    deployment: Deployment
    deployed: Deployed

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the schedules, hence of the day."""
        schedules = self.deployment.schedules
        return schedules[0].zone if schedules else ZoneInfo("UTC")

    @property
    def midnight(self) -> int:
        """The minute (since 1970, UTC) at which the rehearsed day begins."""
        return int(datetime(*ANY_DAY, tzinfo=self.zone).astimezone(UTC).timestamp() // 60)

    def rules(self, start: float) -> Rules:
        """Give the rules as a day begins whose window does so many seconds after midnight: nothing runs."""
        deployment, midnight = self.deployment, self.midnight
        begin, bounds = _before(deployment.schedules, deployment.target, midnight + int(start // 60))
        scaler = Scaler(bounds, deployment.policies, deployment.alarms, deployment.schedules)
        return Rules(scaler, midnight, (begin - midnight) * 60.0, deployment.target)


def of(deployment: Deployment, market: Market, name: str = "ours") -> Setup:
    """Give what a template deploys. Raises TemplateError where it is scaled by what no rehearsal knows."""
    scaling = {policy.name for policy in deployment.policies}
    watched = tuple(
        one for one in deployment.alarms if scaling.intersection(one.actions) or one.name.endswith(WARNINGS)
    )
    for alarm in watched:
        _check(alarm.name, alarm.queries)
    for policy in deployment.policies:
        if isinstance(policy, TargetTracking):
            _check(policy.name, policy.queries)
    second = partial(market.second, deployment.size, arm=deployment.architecture == "ARM64")
    deployed = Deployed(
        slots=deployment.slots,
        most=deployment.most,
        drain=drain_of(deployment.stop_timeout),
        base=deployment.on_demand,
        spot=deployment.spot_share,
        expected=float(deployment.settings.get("CONSUMER_EXPECTED_SECONDS", 0)) or None,
        cpu=100 * market.figures.message_cpu / deployment.size.vcpu,
        time_limit=float(deployment.settings.get("CONSUMER_TIME_LIMIT", TIME_LIMIT)),
        on_demand=second(),
        spot_price=second(spot=True),
    )
    return Setup(name, replace(deployment, alarms=watched), deployed)


def _check(name: str, queries: tuple[Query, ...]) -> None:
    """Refuse what would be read as silence."""
    for metric in (query.metric for query in queries if query.metric):
        if (metric.namespace, metric.name) not in TOLD or metric.statistic not in STATISTICS:
            known = ", ".join(f"{namespace} {told}" for namespace, told in TOLD)
            raise TemplateError(
                f"{name}: {metric.statistic} of {metric.namespace} {metric.name} is not rehearsed; "
                f"{', '.join(STATISTICS)} are, of {known}"
            )


@lru_cache(maxsize=64)  # asked on each day, and worked out minute by minute
def _before(schedules: tuple[Schedule, ...], target: Target, window: int) -> tuple[int, Target]:
    """Give the minute at which a day begins whose window does at this one, and the bounds that are in force by then.

    It begins early enough for whatever has opened the fleet since it was last closed.
    """
    begin = window - EARLY
    for minute in range(window - 1, window - EARLIEST - 1, -1):
        due = [one for one in schedules if one.due(minute)]
        if any(one.maximum == 0 for one in due):
            break
        if any(one.minimum or one.maximum for one in due):
            begin = min(begin, minute)
    low = high = None
    for minute in range(begin - 1, begin - WEEK, -1):
        for one in reversed(schedules):
            if one.due(minute):
                low, high = one.minimum if low is None else low, one.maximum if high is None else high
        if low is not None and high is not None:
            break
    return begin, Target(target.minimum if low is None else low, target.maximum if high is None else high)


@dataclass(slots=True)
class Rules:
    """The rules of one setup, over one day. template: the bounds that a deployment puts in force."""

    scaler: Scaler
    midnight: int
    begin: float
    template: Target
    _warnings: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Find the alarms that tell people."""
        self._warnings = tuple(one.name for one in self.scaler.alarms if one.name.endswith(WARNINGS))

    @property
    def warns(self) -> bool:
        """Whether people are being told that the deadline is in danger."""
        states = self.scaler.watch.states
        return any(states.get(name) == "ALARM" for name in self._warnings)

    def minute(self, now: float, board: Board, desired: int, running: int) -> int:
        """Say how many containers are wanted. now: seconds since midnight."""
        self.scaler.target = self.scaler.target.bounded(desired)

        def data(query: Query) -> Series:
            metric = query.metric
            return board.series(metric.namespace, metric.name, metric.statistic) if metric else {}

        return self.scaler.minute(self.midnight + int(now // 60), data, running)

    @property
    def closed(self) -> bool:
        """Whether no container may run."""
        return self.scaler.target.maximum == 0

    def apply_again(self) -> None:
        """Have a deployment apply the template, with its own bounds."""
        self.scaler.target = self.template.bounded(self.scaler.target.desired)

    def raise_to(self, most: int) -> None:
        """Have people raise the maximum, until a schedule or a deployment says otherwise."""
        self.scaler.target = replace(self.scaler.target, maximum=most)

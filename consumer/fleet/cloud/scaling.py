"""Application Auto Scaling, minute by minute: bounds, schedules, step and target tracking policies. Pure.

The rules are those of the Application Auto Scaling user guide ("Step scaling policies", "Target tracking scaling
policies", "Scheduled scaling") and, where it speaks of zero, of the ECS developer guide ("Service auto scaling").
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Literal, TypeAlias

from consumer.fleet.cloud.alarms import MORE, Alarm, Watch, refuse_unless_in
from consumer.fleet.cloud.metricmath import USUAL, Query, Reading, Series

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from consumer.fleet.cloud.cron import Schedule

Adjustment = Literal["ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"]
COOLDOWN = 300  # s, the default of both kinds of policy
OUT_OF, IN_OF = 3, 15  # datapoints of target tracking's own alarms; AWS offers no way of changing them
SLOWED = 0.9  # of the target: it scales in below a threshold "usually more than 10% lower"


@dataclass(frozen=True, slots=True)
class Target:
    """The scalable target: the service's desired count, and the bounds in which it is kept."""

    minimum: int
    maximum: int
    desired: int = 0

    def bounded(self, count: int) -> Target:
        """Give the target with a desired count, as far as the bounds allow it."""
        return replace(self, desired=min(max(count, self.minimum), self.maximum))


@dataclass(frozen=True, slots=True)
class Step:
    """What is done where the metric is so far from the threshold; None has no end."""

    lower: float | None
    upper: float | None
    change: int

    def covers(self, distance: float) -> bool:
        """Say whether it is this step's distance.

        "If the metric value is above the breach threshold, the lower bound is inclusive and the upper bound is
        exclusive. [Below,] the lower bound is exclusive and the upper bound is inclusive."
        """
        low = -math.inf if self.lower is None else self.lower
        high = math.inf if self.upper is None else self.upper
        return low <= distance < high if distance >= 0 and high > 0 else low < distance <= high


@dataclass(frozen=True, slots=True)
class StepPolicy:
    """A step scaling policy; an alarm's action names it."""

    name: str
    adjustment: Adjustment
    steps: tuple[Step, ...]
    cooldown: int = COOLDOWN
    least: int = 1

    def __post_init__(self) -> None:
        """Refuse a type of adjustment that there is not: it would be taken for another one. Raises TemplateError."""
        refuse_unless_in(Adjustment, f"{self.name}: AdjustmentType", self.adjustment)

    def wanted(self, distance: float, capacity: int) -> int | None:
        """Give the capacity that it wants for a metric so far from the threshold; None where no step covers it."""
        change = next((step.change for step in self.steps if step.covers(distance)), None)
        if change is None:
            return None
        if self.adjustment == "ExactCapacity":
            return change
        return max(0, capacity + (change if self.adjustment == "ChangeInCapacity" else self._percent(change, capacity)))

    def _percent(self, change: int, capacity: int) -> int:
        """Give so many percent: away from zero below one, towards zero above, and at least the least."""
        size = abs(change) / 100 * capacity
        whole = max(self.least, 1 if 0 < size < 1 else math.floor(size)) if change else 0
        return int(math.copysign(whole, change))


@dataclass(frozen=True, slots=True)
class TargetTracking:
    """A target tracking policy over metric math: capacity in proportion to the metric, which is kept at a target."""

    name: str
    queries: tuple[Query, ...]
    target: float
    out_cooldown: int = COOLDOWN
    in_cooldown: int = COOLDOWN
    scales_in: bool = True

    @property
    def alarms(self) -> tuple[Alarm, Alarm]:
        """Give the two alarms that AWS makes for it: 3 of 3 above the target, 15 of 15 well below."""
        high = Alarm(f"{self.name}-high", self.queries, "GreaterThanThreshold", self.target, OUT_OF, OUT_OF)
        low = Alarm(f"{self.name}-low", self.queries, "LessThanThreshold", SLOWED * self.target, IN_OF, IN_OF)
        return replace(high, actions=(self.name,)), replace(low, actions=(self.name,))

    def wanted(self, value: float, running: int) -> int:
        """Give the capacity in proportion to the metric.

        "The actual running task count is the starting point, as opposed to the desired count"; from zero it "scales out
        by the minimum possible amount". That it rounds up both ways is the usual reading; AWS says "conservatively".
        """
        return math.ceil(running * value / self.target - 1e-9) if running else int(value > self.target)


Policy: TypeAlias = StepPolicy | TargetTracking


@dataclass(slots=True)
class Cooling:
    """What a policy did last: when, and from which capacity."""

    out_at: float = -math.inf
    out_from: int = 0
    in_at: float = -math.inf


@dataclass(slots=True)
class Scaler:
    """What decides the service's desired count: give it each minute, in order, and ask what it wants."""

    target: Target
    policies: Sequence[Policy]
    alarms: Sequence[Alarm]
    schedules: Sequence[Schedule] = ()
    reading: Reading = USUAL
    more: int = MORE
    watch: Watch = field(init=False)
    _cooling: dict[str, Cooling] = field(init=False)

    def __post_init__(self) -> None:
        """Put its own alarms beside those of target tracking."""
        own = [alarm for policy in self.policies if isinstance(policy, TargetTracking) for alarm in policy.alarms]
        self.watch = Watch((*self.alarms, *own), self.reading, self.more)
        self._cooling = {policy.name: Cooling() for policy in self.policies}

    def minute(self, now: int, data: Callable[[Query], Series], running: int) -> int:
        """Give the desired count at the beginning of a minute (since 1970, UTC).

        data: the datapoints of a metric that have come by now; the newest that counts is of the minute before.
        running: containers that run, from which relative changes are reckoned.
        """
        for schedule in self.schedules:
            if schedule.due(now):
                self._bound(schedule)
        self.watch.minute(now - 1, data)
        wishes = {policy: self._wish(policy, running, now) for policy in self.policies}
        self._follow({policy: wish for policy, wish in wishes.items() if wish is not None}, now)
        return self.target.desired

    def _bound(self, schedule: Schedule) -> None:
        """Set bounds, at once and whatever cools down: "below the minimum capacity, [it] scales out to the minimum"."""
        minimum = self.target.minimum if schedule.minimum is None else schedule.minimum
        maximum = self.target.maximum if schedule.maximum is None else schedule.maximum
        self.target = Target(minimum, maximum).bounded(self.target.desired)

    def _wish(self, policy: Policy, running: int, now: int) -> int | None:
        """Give the capacity that one policy wants now, within the bounds; None where it wants nothing."""
        ringing = next(iter(self.watch.ringing(policy.name)), None)
        value = self.watch.values.get(ringing.name) if ringing else None
        if ringing is None or value is None:
            return None
        wanted = self._wanted(policy, ringing, value, self._base(policy, running, now))
        return None if wanted is None else self.target.bounded(wanted).desired

    def _wanted(self, policy: Policy, ringing: Alarm, value: float, base: int) -> int | None:
        if isinstance(policy, StepPolicy):
            return policy.wanted(value - ringing.threshold, base)
        wanted = policy.wanted(value, base)
        if ringing.comparison == "GreaterThanThreshold":
            return max(wanted, self.target.desired)
        return min(wanted, self.target.desired) if policy.scales_in else None

    def _base(self, policy: Policy, running: int, now: int) -> int:
        """Give the capacity that a relative change starts from.

        "While the cooldown period is in effect, capacity added by the initiating scale-out activity is calculated as
        part of the desired capacity for the next scale-out activity": it starts where the first one did.
        """
        cooling = self._cooling[policy.name]
        length = policy.cooldown if isinstance(policy, StepPolicy) else policy.out_cooldown
        return cooling.out_from if (now - cooling.out_at) * 60 < length else running

    def _follow(self, wishes: dict[Policy, int], now: int) -> None:
        """Do what the policies want: the most of all, out at once, in only after what cools down.

        "If multiple policies instruct the scalable target to scale out or in at the same time, [it] scales based on the
        policy that provides the largest capacity for both scale in and scale out." Of target tracking policies, all
        must be ready to scale in.
        """
        if not wishes:
            return
        policy, wish = max(wishes.items(), key=itemgetter(1))
        before, cooling = self.target.desired, self._cooling[policy.name]
        if wish < before and not self._may_shrink(policy, wishes, now):
            return
        if wish > before:
            self._cooling[policy.name] = Cooling(now, self._base(policy, before, now))
        elif wish < before:
            cooling.in_at = now
        self.target = self.target.bounded(wish)

    def _may_shrink(self, policy: Policy, wishes: dict[Policy, int], now: int) -> bool:
        cooling = self._cooling[policy.name]
        length = policy.cooldown if isinstance(policy, StepPolicy) else policy.in_cooldown
        if (now - max(cooling.in_at, cooling.out_at)) * 60 < length:
            return False
        tracking = [one for one in self.policies if isinstance(one, TargetTracking) and one.scales_in]
        return policy not in tracking or wishes.keys() >= set(tracking)

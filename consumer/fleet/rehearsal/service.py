"""The containers' side of a rehearsed day: ECS starts what is wanted, and stops what is not and may be stopped."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consumer.fleet.planning.price import billed
from consumer.fleet.rehearsal.containers import Container
from consumer.limits import RENEW, UNUSED, WAIT_TIME

if TYPE_CHECKING:
    from consumer.clock import Dice
    from consumer.fleet.rehearsal.events import Events
    from consumer.fleet.rehearsal.platform import Platform
    from consumer.fleet.rehearsal.queue import Work
    from consumer.fleet.rehearsal.subject import Deployed

ENDING = 1.0  # seconds from the end of a container's last process to its own: the agent's last pass
MOST = 2.0  # containers during a deployment, for each one wanted (MaximumPercent)


@dataclass(slots=True)
class Bill:
    """Billed container-seconds, by how they are paid."""

    on_demand: float = 0.0
    spot: float = 0.0

    @property
    def seconds(self) -> float:
        """All of them."""
        return self.on_demand + self.spot


class Service:
    """The ECS service: how many containers are wanted, and those that there are."""

    def __init__(self, events: Events, work: Work, platform: Platform, dice: Dice, deployed: Deployed) -> None:
        self.desired = self.revision = self.peak = self.launched = 0
        self.live: list[Container] = []
        self.bill = Bill()
        self.deploying = False
        self._protected = 0
        self._events, self._work, self._platform, self._dice = events, work, platform, dice
        self._slots, self._drain, self._lease = deployed.slots, deployed.drain, deployed.lease
        self._base, self._spot = deployed.base, deployed.spot
        work.taken, work.idled = self._taken, self._idled

    @property
    def running(self) -> list[Container]:
        """Those that have started, and tell what they see."""
        return [one for one in self.live if one.ready]

    def want(self, count: int) -> None:
        """Want so many from now on; while a deployment runs nothing is scaled in."""
        self.desired = max(count, self.desired) if self.deploying else count

    def deploy(self) -> None:
        """Replace every container by one of a new revision."""
        self.revision += 1
        self.deploying = True

    def look(self) -> None:
        """Compare what there is with what is wanted."""
        staying = [one for one in self.live if not one.leaving]
        fresh = [one for one in staying if one.revision == self.revision]
        old = [one for one in staying if one.revision != self.revision]
        room = math.ceil(MOST * self.desired) - len(staying)
        for number in range(max(0, min(self.desired - len(fresh), room if old else self.desired))):
            self._launch(number)
        if len(fresh) > self.desired:
            self._spare(fresh, len(fresh) - self.desired)
        if old:
            self._spare(old, len([one for one in staying if one.ready]) - self.desired)
        self.deploying = bool(old)

    def minute(self) -> None:
        """Have each container's agent see to its protection, and whether it is of an old revision."""
        now = self._events.now
        for one in self.running:
            if one.leaving:
                continue
            if one.revision != self.revision:
                self._quieten(one, "old")
            elif one.quiet == "blocked" or (one.busy and now - one.renewed >= RENEW):
                self._ask(one)

    def interrupt(self) -> None:
        """Spot wants one of its containers back."""
        chosen = [one for one in self.running if one.spot and not one.leaving]
        if chosen:
            self._stop(chosen[int(self._dice.random() * len(chosen))])

    def end_all(self) -> None:
        """End every container, since the day is over."""
        for one in list(self.live):
            self._end(one)

    def _launch(self, number: int) -> None:
        now, platform = self._events.now, self._platform
        begun = now + max(0.0, (number - platform.burst) / platform.rate)
        least, most = platform.start
        seconds = least + (most - least) * self._dice.random()
        spots = sum(one.spot for one in self.live)
        spot = len(self.live) - spots >= self._base and spots < self._spot * (len(self.live) + 1 - self._base) - 1e-9
        one = Container(self.revision, spot, self._slots, begun + platform.unpulled * seconds)
        self.launched += 1
        self.live.append(one)
        self.peak = max(self.peak, len(self.live))
        self._events.at(begun + seconds, self._ready, one)

    def _ready(self, one: Container) -> None:
        if one.gone:
            return  # stopped before it had started
        one.ready = True
        self._work.open(one)

    def _spare(self, among: list[Container], count: int) -> None:
        """Stop so many at most, and none that is protected."""
        idle = sorted((one for one in among if one.protected is None), key=lambda one: (one.ready, one.busy))
        for one in idle[: max(0, count)]:
            self._stop(one)

    def _stop(self, one: Container) -> None:
        """Tell it to stop: what is in hand has the drain's seconds."""
        one.leaving = True
        self._unprotect(one)
        polls = one.takes
        self._work.close(one)
        if one.busy:
            self._events.at(self._events.now + self._drain, self._end, one)
        elif one.ready:
            self._events.at(self._events.now + self._last_poll(one) * polls + ENDING, self._end, one)
        else:
            self._end(one)

    def _last_poll(self, one: Container) -> float:
        """Give the seconds until the last of its polls ends; each is anywhere between its beginning and its end."""
        return WAIT_TIME * float(self._dice.random() ** (1.0 / one.slots))

    def _end(self, one: Container) -> None:
        if one.gone:
            return  # it was done before the drain was over
        one.gone = True
        self._unprotect(one)
        self.live.remove(one)
        self._work.drop(one)
        seconds = self._events.now - one.billed
        paid = billed(seconds) if seconds > 0 else 0.0
        if one.spot:
            self.bill.spot += paid
        else:
            self.bill.on_demand += paid

    def _taken(self, one: Container) -> None:
        one.idle = None
        if not one.leaving and one.protected is None:
            self._ask(one)

    def _ask(self, one: Container) -> None:
        """Have scale-in leave it alone while it is busy. Refused where more would be protected than are wanted."""
        now = self._events.now
        held = one.protected is not None
        if self._protected - held < self.desired:
            if one.busy and not held:
                one.protected = now
                self._protected += 1
            one.renewed = now
            if one.quiet == "blocked":
                self._reopen(one)
        else:
            self._quieten(one, "blocked")
            if now - one.renewed >= self._lease:
                self._unprotect(one)

    def _idled(self, one: Container) -> None:
        if one.leaving:
            self._end(one)
        else:
            one.idle = self._events.now
            self._events.at(one.idle + UNUSED, self._give_back, one, one.idle)

    def _give_back(self, one: Container, idle: float) -> None:
        """End a protection, unless the container has had something in hand since."""
        if one.idle == idle:
            self._unprotect(one)

    def _unprotect(self, one: Container) -> None:
        if one.protected is not None:
            one.protected = None
            self._protected -= 1

    def _quieten(self, one: Container, why: str) -> None:
        one.quiet = why
        self._work.close(one)

    def _reopen(self, one: Container) -> None:
        one.quiet = ""
        self._work.open(one)

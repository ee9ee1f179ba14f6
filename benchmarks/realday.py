"""A short day with real containers. What is around them is played here: ECS, CloudWatch, Application Auto Scaling.

Of these, the alarms and the scaling are the rehearsal's own code on the template that is deployed; the platform's
delays are those that the rehearsal is given. Nothing of the containers is changed, nor is their clock: a minute of
theirs is a minute.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from cloudwatch import CloudWatch, parsed
from consumer.container.ecs import BLOCKED
from consumer.fleet import metrics
from consumer.fleet.cloud.scaling import Scaler
from consumer.fleet.planning.price import billed
from consumer.message.queue import BATCH
from scene import Container, fill
from support.ecs import ARN, FakeEcs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import ExitStack

    from consumer.fleet.cloud.metricmath import Query, Series
    from consumer.fleet.cloud.template import Deployment
    from consumer.fleet.rehearsal.platform import Platform
    from consumer.local.queues import Queues

MINUTE = 60.0
EVERY = 0.1  # seconds between two looks of this program
AFTER = 300.0  # seconds after the last schedule until a day that does not end is ended


@dataclass(frozen=True, slots=True)
class Came:
    """What a day came to, rehearsed or real. finish: seconds after the first message was sent; None for never."""

    finish: float | None
    container_seconds: float
    peak: int
    done: int
    minutes: list[tuple[int, int, int]]  # each minute from the opening: backlog, running, desired
    lives: list[tuple[float, float | None, float]] = field(default_factory=list)  # seconds after: start, SIGTERM, end


@dataclass(frozen=True, slots=True)
class Orders:
    """What is to be done. Times are seconds since the epoch.

    wait: seconds from asking for a container until its image is there. sends: when each message is sent, and the
    seconds that it takes. settings: the containers' own.
    """

    deployment: Deployment
    platform: Platform
    wait: float
    opens: float
    closes: float
    sends: Sequence[tuple[float, float]]
    settings: Mapping[str, str]


class Agent(FakeEcs):
    """The ECS agent of one container: it protects no more containers than are wanted."""

    def __init__(self, fleet: list[Task], wanted: Callable[[], int], lock: Lock) -> None:
        self._fleet, self._wanted, self._one_at_a_time = fleet, wanted, lock
        super().__init__()

    def protect(self, wanted: dict[str, Any]) -> tuple[int, Any]:
        with self._one_at_a_time:
            others = sum(1 for one in self._fleet if one.agent is not self and one.agent.minutes)
            if wanted["ProtectionEnabled"] and others >= self._wanted():
                return 200, {"failure": {"Arn": ARN, "Detail": None, "Reason": BLOCKED}}
            return super().protect(wanted)


@dataclass(slots=True, eq=False)
class Task:
    """A container from the moment it is asked for. pulled: when its image is there, which is when it is billed from."""

    agent: Agent
    pulled: float
    container: Container | None = None
    read: int = 0  # bytes of its log
    told: float | None = None  # when it was told to stop


class RealDay:
    """One day, while it is played."""

    def __init__(self, orders: Orders, scene: Queues, stack: ExitStack) -> None:
        self.desired = self.peak = 0
        self.live: list[Task] = []
        self.lives: list[tuple[float, float | None, float]] = []
        self.done: dict[str, float] = {}  # message id -> when it was done
        self.minutes: list[tuple[int, int, int]] = []
        self.orders, self.scene, self.stack = orders, scene, stack
        self.to_send = list(orders.sends)
        self.watch = CloudWatch({metrics.NAMESPACE: orders.platform.own, "AWS/SQS": orders.platform.sqs})
        deployed = orders.deployment
        scaling = [alarm for alarm in deployed.alarms if alarm.actions]  # the others would tell people
        self.scaler = Scaler(deployed.target, deployed.policies, scaling, deployed.schedules)
        self.lock = Lock()

    def play(self) -> Came:
        """Let the day pass."""
        opens, platform = self.orders.opens, self.orders.platform
        clocks = [
            (opens, MINUTE, self.minute),
            (opens + platform.alarms, MINUTE, self.judge),
            (opens + 1, platform.look, self.look),
        ]
        while not self.over():
            now = time.time()
            self.send(now)
            self.pass_on(now)
            for number, (when, every, call) in enumerate(clocks):
                if when <= now:
                    call(now)
                    clocks[number] = (when + every, every, call)
            time.sleep(EVERY)
        return self.came()

    def over(self) -> bool:
        now = time.time()
        if now > self.orders.closes + AFTER:
            raise RuntimeError("the containers did not end")
        return not (self.to_send or self.live or self.desired) and now > self.orders.opens + MINUTE

    def send(self, now: float) -> None:
        """Send what is due, one call after another: the rehearsal has them in this order."""
        due = [seconds for at, seconds in self.to_send if at <= now]
        del self.to_send[: len(due)]
        for first in range(0, len(due), BATCH):
            fill(self.scene, [{"seconds": seconds} for seconds in due[first : first + BATCH]])

    def minute(self, now: float) -> None:
        """Have SQS send its metrics, and note how things are."""
        found = self.scene.counts()
        self.watch.put("AWS/SQS", "ApproximateNumberOfMessagesVisible", now, found.visible, now)
        backlog = found.visible + found.in_flight + found.delayed
        self.minutes.append((backlog, sum(1 for one in self.live if one.container), self.desired))

    def judge(self, now: float) -> None:
        """Have the alarms judged, and the policies say how many containers are wanted."""

        def data(query: Query) -> Series:
            return self.watch.series(query.metric, now) if query.metric else {}

        self.desired = self.scaler.minute(int(now // MINUTE), data, sum(1 for one in self.live if one.container))
        for one in self.live:
            one.agent.service["desiredCount"] = self.desired

    def look(self, now: float) -> None:
        """Compare what there is with what is wanted, as ECS does each so often."""
        staying = [one for one in self.live if one.told is None]
        for _ in range(self.desired - len(staying)):
            agent = self.stack.enter_context(Agent(self.live, lambda: self.desired, self.lock))
            agent.service["desiredCount"] = self.desired
            self.live.append(Task(agent, now + self.orders.wait))
            self.peak = max(self.peak, len(self.live))
        idle = sorted((one for one in staying if not one.agent.minutes), key=lambda one: one.container is not None)
        for one in idle[: max(0, len(staying) - self.desired)]:
            one.told = now
            one.agent.task["DesiredStatus"] = "STOPPED"
            if one.container:
                one.container.tell_to_stop()
            else:
                self.live.remove(one)

    def pass_on(self, now: float) -> None:
        """Start the containers whose image is there, hear what all say, and bill those that have ended."""
        for one in list(self.live):
            if one.container is None:
                if one.pulled <= now:
                    one.pulled, one.container = now, self.start(one)
                continue
            ended = one.container.ended  # asked first: whatever it has said is in its log by then
            self.hear(one, one.container, now)
            if ended:
                self.live.remove(one)
                self.lives.append((one.pulled, one.told, now))

    def start(self, one: Task) -> Container:
        settings: dict[str, Any] = {**self.orders.deployment.settings, **self.orders.settings, **one.agent.env}
        return self.stack.enter_context(Container(self.scene, self.orders.deployment.slots, **settings))

    def hear(self, one: Task, container: Container, now: float) -> None:
        with container.log.open("rb") as log:
            log.seek(one.read)
            whole, end, _ = log.read().rpartition(b"\n")
        one.read += len(whole) + len(end)
        for line in map(parsed, whole.splitlines()):
            self.watch.hear(line, now)
            if metrics.SUCCEEDED.name in line:
                self.done[line["message_id"]] = line["_aws"]["Timestamp"] / 1000

    def came(self) -> Came:
        sent = self.orders.sends[0][0]
        all_done = len(self.done) == len(self.orders.sends)
        finish = max(self.done.values()) - sent if all_done else None
        paid = sum(billed(end - start) for start, _, end in self.lives)
        opens = self.orders.opens
        lives = [(start - opens, told and told - opens, end - opens) for start, told, end in self.lives]
        return Came(finish, paid, self.peak, len(self.done), self.minutes, lives)

"""Whether the platform still wants this container, and how many of them: asked now and then, remembered in between."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from consumer.container.endpoint import Unanswered
from consumer.lane import Lane

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from consumer.clock import Clock
    from consumer.container.ecs import Ecs, Service, Task

TASK_EVERY = 10.0  # seconds between two looks at the task: beside the container, and free
SERVICE_EVERY = 60.0  # seconds between two looks at the service: a control plane's API, which all containers share
RARER = 3  # doublings of that at most, while nobody answers: the network may lead to SQS only
HOLDS = 600.0  # seconds for which the number that the service wants is believed without a new answer


class Wanted:
    """A duty of the agent.

    desired: containers that the service wants, as last heard; None until then, and where that is long ago. heard: when
    the service, with no deployment under way, last wanted containers like this one, by the monotonic clock.
    """

    name = "wanted"

    def __init__(self, ecs: Ecs, clock: Clock, log: FilteringBoundLogger) -> None:
        self.desired: int | None = None
        self.heard = self._answered = clock.monotonic()
        self._ecs, self._clock, self._log = ecs, clock, log
        self._lane = Lane("ecs")
        self._next_task = self._next_service = clock.monotonic()
        self._stopping, self._newer = False, ""  # the task definition that is deployed instead of this one
        self._deaf = False
        self._unanswered = 0  # calls of the service in a row

    @property
    def not_wanted(self) -> str:
        """Why this container is to go, or nothing."""
        if self._stopping:
            return "its task is to stop"
        if self.desired == 0:
            return "the service wants no container"
        return f"{self._newer} is deployed" if self._newer else ""

    async def __call__(self) -> None:
        """Look, where it is time to."""
        now = self._clock.monotonic()
        if now < self._next_task:
            return
        self._next_task = now + TASK_EVERY
        if now - self._answered >= HOLDS:
            self.desired = None
        try:
            await self._look(now)
        except Unanswered as error:
            if not self._deaf:
                self._log.warning("platform_not_heard", error=str(error), meanwhile="the container works on")
            self._deaf = True

    async def _look(self, now: float) -> None:
        task = await self._lane.run(self._ecs.task)
        if task.stopping:
            self._stopping = True
        elif now >= self._next_service:
            wait = SERVICE_EVERY * 2.0 ** min(self._unanswered, RARER)
            self._next_service = now + wait * self._clock.uniform(0.9, 1.1)
            self._unanswered += 1
            service = await self._lane.run(partial(self._ecs.service, task))
            self._deaf, self._unanswered = False, 0
            if service:
                self._judge(task, service)

    def _judge(self, task: Task, service: Service) -> None:
        """Note what the service wants. A deployment that is rolled back has the container wanted again."""
        self._answered = self._clock.monotonic()
        self.desired = service.desired
        self._newer = "" if service.revision == task.revision else service.revision
        if not (self.not_wanted or service.deploying):
            self.heard = self._answered

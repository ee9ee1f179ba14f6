"""Whether the platform still wants this container, and how many of them: asked now and then, remembered in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from consumer.container.ecs import Unanswered
from consumer.lane import Lane
from consumer.message.trouble import explained

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from consumer.clock import Clock
    from consumer.container.ecs import Service, Task

TASK_EVERY = 10.0  # seconds between two looks at the task: beside the container, and free
SERVICE_EVERY = 60.0  # seconds between two looks at the service: a control plane's API, which all containers share


class Asked(Protocol):
    """What is asked of the platform here."""

    def task(self) -> Task:
        """See Ecs."""

    def service(self, task: Task) -> Service:
        """See Ecs."""


class Wanted:
    """A duty of the agent.

    desired: containers that the service wants, as last heard; None until then. not_wanted: why this one is to go, or
    nothing. heard: when the service last said that it wants this container, by the monotonic clock.
    """

    name = "wanted"

    def __init__(self, ecs: Asked, clock: Clock, log: FilteringBoundLogger) -> None:
        self.desired: int | None = None
        self.not_wanted = ""
        self.heard = clock.monotonic()
        self._ecs, self._clock, self._log = ecs, clock, log
        self._lane = Lane("ecs")
        self._next_task = self._next_service = clock.monotonic()
        self._task: Task | None = None
        self._newest = ""  # task definition, of the service's last deployment
        self._deaf = False

    async def __call__(self) -> None:
        """Look, where it is time to."""
        now = self._clock.monotonic()
        try:
            if now >= self._next_task:
                self._next_task = now + TASK_EVERY
                self._task = await self._lane.run(self._ecs.task)
            if self._task and self._task.service and now >= self._next_service:
                self._next_service = now + SERVICE_EVERY * self._clock.uniform(0.9, 1.1)
                await self._look_at_service(self._task)
        except (Unanswered, BotoCoreError, ClientError) as error:
            self._say_deaf(error)
        self._judge()

    async def _look_at_service(self, task: Task) -> None:
        service = await self._lane.run(lambda: self._ecs.service(task))
        self.desired, self._newest = service.desired, service.revision
        if service.revision == task.revision:
            self.heard = self._clock.monotonic()
        self._deaf = False

    def _judge(self) -> None:
        before, task = self.not_wanted, self._task
        if task is None:
            return
        newer = bool(self._newest) and self._newest != task.revision
        self.not_wanted = "its task is to stop" if task.stopping else f"{self._newest} is deployed" if newer else ""
        if self.not_wanted and not before:
            self._log.info("not_wanted", why=self.not_wanted, then="no message is taken; the container is free to go")

    def _say_deaf(self, error: Exception) -> None:
        if not self._deaf:
            why = str(error) if isinstance(error, Unanswered) else explained(error)
            self._log.warning("platform_not_heard", error=why, meanwhile="the container works on")
        self._deaf = True

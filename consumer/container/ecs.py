"""What the platform is asked: the ECS agent's endpoints beside the container, and the ECS API for its service.

Blocking calls, each bounded. The endpoints: task metadata version 4, and task scale-in protection (Amazon ECS developer
guide, "Task metadata endpoint version 4" and "Task scale-in protection endpoint").
"""

from __future__ import annotations

import os
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from consumer.container.endpoint import Unanswered, ask
from consumer.errors import described
from consumer.lane import Worker
from consumer.message import client

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.clock import Clock

API = 10.0  # seconds for a whole call of the API: its client, credentials, and an answer that comes byte by byte
BLOCKED = "DEPLOYMENT_BLOCKED"  # more tasks are protected than the service wants: one of them is this one
NO_SERVICE = "TASK_NOT_VALID"  # a task that was run by itself: nobody scales it in
WRONG = (LookupError, TypeError, ValueError, AttributeError)  # what comes of an answer that is not as documented


@dataclass(frozen=True, slots=True)
class Task:
    """This container's task, as the platform sees it.

    service: empty where the metadata do not name it. revision: its task definition, as family:number. stopping: the
    platform wants it to stop.
    """

    arn: str
    region: str
    cluster: str
    service: str
    revision: str
    stopping: bool


@dataclass(frozen=True, slots=True)
class Service:
    """The task's service: the containers that it wants, the task definition of its newest deployment.

    deploying: there is more than one deployment: the last one's tasks have not all ended.
    """

    desired: int
    revision: str
    deploying: bool


class Ecs:
    """The platform, where the container is on it."""

    def __init__(self, agent: str, metadata: str, clock: Clock) -> None:
        self._state = f"{agent}/task-protection/v1/state"
        self._metadata = f"{metadata}/task"
        self._clock = clock
        self._client: Any = None
        self._described: Future[Service | None] | None = None
        self._name: str | None = None  # of the service, as the API has it; empty for none, None for not asked

    @classmethod
    def found(cls, clock: Clock) -> Ecs | None:
        """Find it by what ECS puts into the environment; None elsewhere."""
        agent, metadata = os.environ.get("ECS_AGENT_URI", ""), os.environ.get("ECS_CONTAINER_METADATA_URI_V4", "")
        return cls(agent, metadata, clock) if {agent[:7], metadata[:7]} == {"http://"} else None

    def protect(self, minutes: int | None) -> str:
        """Protect the task from scale-in for so many minutes from now, or, with None, no longer.

        Gives the reason of a refusal, which is an HTTP 200 of its own kind; nothing when it is done. Raises Unanswered.
        """
        wanted: dict[str, object] = {"ProtectionEnabled": minutes is not None}
        if minutes is not None:
            wanted["ExpiresInMinutes"] = minutes
        answer = ask(self._state, wanted)
        if failure := answer.get("failure"):
            return str(failure.get("Reason") or failure) if isinstance(failure, dict) else str(failure)
        if not self._is_done(answer, enabled=minutes is not None):
            raise Unanswered(f"expected the protection that was asked for, got {answer}"[:300])
        return ""

    def _is_done(self, answer: dict[str, Any], *, enabled: bool) -> bool:
        try:
            found = answer["protection"]
            ends = found.get("ExpirationDate")
            lasts = ends is None or datetime.fromisoformat(ends) > self._clock.now()
            return found["ProtectionEnabled"] is enabled and (lasts or not enabled)
        except WRONG:
            return False

    def task(self) -> Task:
        """Read what the platform knows of this task. Raises Unanswered."""
        answer = ask(self._metadata)
        try:
            arn = answer["TaskARN"]
            return Task(
                arn, arn.split(":")[3], answer["Cluster"], answer.get("ServiceName", ""),
                f"{answer['Family']}:{answer['Revision']}", answer["DesiredStatus"] == "STOPPED",
            )  # fmt: skip
        except WRONG as error:
            raise Unanswered(f"the task's metadata are not as documented: {described(error)}") from None

    def service(self, task: Task) -> Service | None:
        """Read what the task's service wants; None for a task that was run by itself. Raises Unanswered.

        botocore bounds each read, not the call: it has a thread of its own, and no second call beside one that hangs.
        """
        if self._described and not self._described.done():
            raise Unanswered("the task's service: the call before has not ended yet")
        self._described = Future()
        Worker(partial(_carry, self._described, partial(self._describe, task)), "describe").start()
        try:
            return self._described.result(API)
        except TimeoutError:
            raise Unanswered(f"the task's service: no whole answer within {API:g} s") from None

    def _describe(self, task: Task) -> Service | None:
        try:
            self._client = self._client or _client(task.region)
            name = task.service or self._looked_up(task)
            if not name:
                return None
            found = self._client.describe_services(cluster=task.cluster, services=[name])["services"][0]
            newest = next(one for one in found["deployments"] if one["status"] == "PRIMARY")
            desired, revision = found["desiredCount"], newest["taskDefinition"].rpartition("/")[2]
            if type(desired) is not int:
                raise TypeError(f"desiredCount is {desired!r}")
            return Service(desired, revision, len(found["deployments"]) > 1)
        except (BotoCoreError, ClientError, StopIteration, *WRONG) as error:
            raise Unanswered(f"the task's service: {described(error)}") from None

    def _looked_up(self, task: Task) -> str:
        """Ask for the service's name, once: Fargate's metadata have long been without it."""
        if self._name is None:
            group = self._client.describe_tasks(cluster=task.cluster, tasks=[task.arn])["tasks"][0]["group"]
            kind, _, name = group.partition(":")
            self._name = name if kind == "service" else ""
        return self._name


def _client(region: str) -> Any:  # noqa: ANN401 - there are no stubs for it
    options = Config(connect_timeout=API / 2, read_timeout=API / 2, retries={"total_max_attempts": 1})
    return client.session().client("ecs", region_name=region, config=options)


def _carry(answer: Future[Service | None], call: Callable[[], Service | None]) -> None:
    try:
        answer.set_result(call())
    except BaseException as error:  # noqa: BLE001 - carried to whoever waits
        answer.set_exception(error)

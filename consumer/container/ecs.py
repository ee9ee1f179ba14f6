"""What the platform is asked: the ECS agent's endpoints beside the container, and the ECS API for its service.

Blocking calls, each bounded. The endpoints: task metadata version 4, and task scale-in protection (Amazon ECS developer
guide, "Task metadata endpoint version 4" and "Task scale-in protection endpoint").
"""

from __future__ import annotations

import json
import os
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError

import boto3
from botocore.config import Config

from consumer.errors import described

TIMEOUT = 2.0  # seconds for each call
LONGEST_ANSWER = 65_536  # bytes
BLOCKED = "DEPLOYMENT_BLOCKED"  # more tasks are protected than the service wants: one of them is this one
NO_SERVICE = "TASK_NOT_VALID"  # a task that was run by itself: nobody scales it in


class Unanswered(Exception):  # noqa: N818 - it is what has happened, and its text says why
    """There was no answer, or none that can be used."""


@dataclass(frozen=True, slots=True)
class Task:
    """This container's task, as the platform sees it.

    revision: its task definition, as family:number. stopping: the platform wants it to stop.
    """

    cluster: str
    service: str
    revision: str
    stopping: bool


@dataclass(frozen=True, slots=True)
class Service:
    """The task's service: the containers that it wants, and the task definition of its newest deployment."""

    desired: int
    revision: str


class Ecs:
    """The platform, where the container is on it."""

    def __init__(self, agent: str, metadata: str) -> None:
        self._state = f"{agent}/task-protection/v1/state"
        self._metadata = f"{metadata}/task"
        self._client: Any = None

    @classmethod
    def found(cls) -> Ecs | None:
        """Find it by what ECS puts into the environment; None elsewhere."""
        agent, metadata = os.environ.get("ECS_AGENT_URI", ""), os.environ.get("ECS_CONTAINER_METADATA_URI_V4", "")
        return cls(agent, metadata) if agent.startswith("http") and metadata.startswith("http") else None

    def protect(self, minutes: int | None) -> str:
        """Protect the task from scale-in for so many minutes from now, or, with None, no longer.

        Gives the reason of a refusal, which is an HTTP 200 of its own kind; nothing when it is done. Raises Unanswered.
        """
        wanted: dict[str, object] = {"ProtectionEnabled": minutes is not None}
        if minutes is not None:
            wanted["ExpiresInMinutes"] = minutes
        answer = _ask(self._state, wanted)
        if failure := answer.get("failure"):
            return str(failure.get("Reason") or failure) if isinstance(failure, dict) else str(failure)
        protection = answer.get("protection")
        if not isinstance(protection, dict) or protection.get("ProtectionEnabled") is not wanted["ProtectionEnabled"]:
            raise Unanswered(f"expected the protection that was asked for, got {answer}"[:300])
        return ""

    def task(self) -> Task:
        """Read what the platform knows of this task. Raises Unanswered."""
        answer = _ask(self._metadata)
        try:
            return Task(
                answer["Cluster"], answer.get("ServiceName", ""), f"{answer['Family']}:{answer['Revision']}",
                answer["DesiredStatus"] == "STOPPED",
            )  # fmt: skip
        except KeyError as error:
            raise Unanswered(f"the task's metadata are without {error}") from None

    def service(self, task: Task) -> Service:
        """Read what the task's service wants. Raises Unanswered, BotoCoreError and ClientError."""
        if self._client is None:
            self._client = boto3.client("ecs", config=Config(
                connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"total_max_attempts": 1},
            ))  # fmt: skip
        found = self._client.describe_services(cluster=task.cluster, services=[task.service])["services"]
        if not found:
            raise Unanswered(f"no service {task.service} in {task.cluster}")
        newest = next((one for one in found[0]["deployments"] if one["status"] == "PRIMARY"), found[0])
        return Service(found[0]["desiredCount"], newest["taskDefinition"].rpartition("/")[2])


def _ask(url: str, body: dict[str, object] | None = None) -> dict[str, Any]:
    """Get, or put a JSON object, and read one; the endpoint's own errors, too, are raised as Unanswered."""
    data, header = (None, {}) if body is None else (json.dumps(body).encode(), {"Content-Type": "application/json"})
    request = urllib.request.Request(url, data, header, method="GET" if body is None else "PUT")  # noqa: S310 - ECS's
    directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy reaches a link-local address
    try:
        with directly.open(request, timeout=TIMEOUT) as answer:
            found = json.loads(answer.read(LONGEST_ANSWER))
    except HTTPError as error:
        raise Unanswered(f"HTTP {error.code}: {error.read(300).decode(errors='replace')}") from None
    except (OSError, HTTPException, ValueError) as error:
        raise Unanswered(described(error)) from None
    if not isinstance(found, dict):
        raise Unanswered(f"expected a JSON object, got {found!r}"[:300])
    return found

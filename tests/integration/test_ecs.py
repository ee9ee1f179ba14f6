"""What the platform is asked, of a real HTTP server that answers, refuses, throttles, hangs and lies."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from consumer.clock import Clock
from consumer.container import ecs, endpoint
from consumer.container.ecs import Ecs, Service, Task
from consumer.container.endpoint import Unanswered
from support.ecs import ARN, FakeEcs
from support.programs import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEcs]:
    with FakeEcs() as server:
        credentials = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
        for name, value in {**server.env, **credentials}.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def asked(platform: FakeEcs) -> Ecs:
    assert platform
    found = Ecs.found(Clock())
    assert found
    return found


def test_protection_is_asked_for_and_given_back_past_any_proxy(
    platform: FakeEcs, asked: Ecs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    assert asked.protect(10) == ""
    assert platform.minutes == 10
    assert asked.protect(None) == ""
    assert platform.minutes == 0
    assert platform.asked == [{"ProtectionEnabled": True, "ExpiresInMinutes": 10}, {"ProtectionEnabled": False}]


@pytest.mark.parametrize("reason", ["DEPLOYMENT_BLOCKED", "TASK_NOT_VALID"])
def test_a_refusal_comes_with_http_200_and_is_one_all_the_same(platform: FakeEcs, asked: Ecs, reason: str) -> None:
    platform.refuse(reason)
    assert asked.protect(10) == reason


ENABLED: dict[str, Any] = {"ProtectionEnabled": True, "TaskArn": "arn"}


@pytest.mark.parametrize(
    "lie",
    [
        (200, b"no JSON"),
        (200, b""),
        (200, b"[" * 100_000),
        (200, ["a list"]),
        (200, "a text"),
        (200, {}),
        (200, {"protection": None}),
        (200, {"protection": ["ProtectionEnabled"]}),
        (200, {"protection": {"ProtectionEnabled": False}}),
        (200, {"protection": {"ProtectionEnabled": "true"}}),
        (200, {"protection": ENABLED | {"ExpirationDate": "2022-10-06T02:29:16Z"}}),
        (200, {"protection": ENABLED | {"ExpirationDate": "soon"}}),
        (200, {"protection": ENABLED | {"ExpirationDate": 7}}),
        (403, {"error": {"Code": "AccessDeniedException", "Message": "no task role"}}),
        (404, b"404 page not found"),
        (504, b""),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_is_no_protection(
    platform: FakeEcs, asked: Ecs, lie: tuple[int, Any]
) -> None:
    platform.lie = lie
    with pytest.raises(Unanswered):
        asked.protect(10)


@pytest.mark.parametrize("status", [400, 429])
def test_throttling_is_no_answer_and_says_so(platform: FakeEcs, asked: Ecs, status: int) -> None:
    platform.throttle(status)
    with pytest.raises(Unanswered, match=f"HTTP {status}: .*ThrottlingException"):
        asked.protect(10)


def test_whoever_hangs_is_not_waited_for(platform: FakeEcs, asked: Ecs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "ANSWERED", 0.3)
    task = asked.task()
    platform.answers.clear()
    began = time.monotonic()
    for ask in (lambda: asked.protect(10), asked.task, lambda: asked.service(task)):
        with pytest.raises(Unanswered):
            ask()
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("part", ["header", "body"])
def test_whoever_answers_byte_by_byte_is_not_waited_for_and_heard_again_later(
    platform: FakeEcs, asked: Ecs, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    task = asked.task()
    assert asked.service(task)
    monkeypatch.setattr(endpoint, "ANSWERED", 0.4)
    monkeypatch.setattr(ecs, "API", 0.4)
    platform.drips = part
    began = time.monotonic()
    for ask in (lambda: asked.protect(10), asked.task, lambda: asked.service(task)):
        with pytest.raises(Unanswered, match=r"no whole answer within 0\.4 s"):
            ask()
    with pytest.raises(Unanswered, match="the call before has not ended yet"):
        asked.service(task)
    assert time.monotonic() - began < 15
    platform.drips = ""
    assert asked.protect(10) == ""
    assert wait_until(lambda: heard(asked, task), "the service is heard again")


def heard(asked: Ecs, task: Task) -> Service | None:
    try:
        return asked.service(task)
    except Unanswered:  # the call before is still on its way
        return None


def test_nobody_there_is_no_answer(asked: Ecs) -> None:
    nobody = Ecs("http://127.0.0.1:1", "http://127.0.0.1:1", Clock())
    with pytest.raises(Unanswered):
        nobody.protect(10)
    with pytest.raises(Unanswered):
        nobody.task()
    assert asked.task()


def test_the_task_and_its_service_say_what_is_wanted(platform: FakeEcs, asked: Ecs) -> None:
    task = asked.task()
    assert task == Task(ARN, "eu-west-1", platform.task["Cluster"], "drain", "consumer:7", stopping=False)
    assert asked.service(task) == Service(3, "consumer:7", deploying=False)
    platform.service["deployments"] = [platform.deployment(7, "ACTIVE"), platform.deployment(8)]
    assert asked.service(task) == Service(3, "consumer:8", deploying=True)
    platform.task["DesiredStatus"] = "STOPPED"
    assert asked.task().stopping


def test_where_the_metadata_do_not_name_the_service_the_api_does_and_once_is_enough(
    platform: FakeEcs, asked: Ecs
) -> None:
    """As Fargate's have long been."""
    del platform.task["ServiceName"]
    for _ in range(3):
        assert asked.service(asked.task()) == Service(3, "consumer:7", deploying=False)
    assert platform.called == ["DescribeTasks", *["DescribeServices"] * 3]


def test_a_task_that_was_run_by_itself_has_no_service(platform: FakeEcs, asked: Ecs) -> None:
    del platform.task["ServiceName"]
    platform.group = "family:consumer"
    assert [asked.service(asked.task()) for _ in range(2)] == [None, None]
    assert platform.called == ["DescribeTasks"]


@pytest.mark.parametrize("lie", [None, 7])
def test_a_task_that_is_not_as_documented_is_no_answer(platform: FakeEcs, asked: Ecs, lie: Any) -> None:
    del platform.task["ServiceName"]
    platform.group = lie
    with pytest.raises(Unanswered, match="the task's service"):
        asked.service(asked.task())


@pytest.mark.parametrize("lie", [["a list"], {}, {"TaskARN": "short"}, {"TaskARN": None}, b"no JSON"])
def test_metadata_that_are_not_as_documented_are_no_answer(platform: FakeEcs, asked: Ecs, lie: Any) -> None:
    platform.task = lie
    with pytest.raises(Unanswered):
        asked.task()


NEWEST = {"status": "PRIMARY", "taskDefinition": "arn/consumer:7"}


@pytest.mark.parametrize(
    "lie",
    [
        None,
        {},
        {"desiredCount": 3, "deployments": []},
        {"deployments": None},
        {"desiredCount": "3", "deployments": [NEWEST]},
        {"desiredCount": True, "deployments": [NEWEST]},
        {"desiredCount": None, "deployments": [NEWEST]},
    ],
)
def test_a_service_that_is_not_as_documented_is_no_answer(platform: FakeEcs, asked: Ecs, lie: Any) -> None:
    task = asked.task()
    platform.service = lie
    with pytest.raises(Unanswered, match="the task's service"):
        asked.service(task)


@pytest.mark.parametrize("missing", ["ECS_AGENT_URI", "ECS_CONTAINER_METADATA_URI_V4"])
def test_elsewhere_nobody_is_asked(platform: FakeEcs, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    assert platform
    monkeypatch.delenv(missing)
    assert Ecs.found(Clock()) is None

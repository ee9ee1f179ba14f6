"""Who may mail, and which of what ECS says to EventBridge is mailed."""

from __future__ import annotations

from typing import Any

import pytest

from consumer.fleet.cloud.resources import resolved, text_of


def test_whoever_mails_may_publish_to_the_topic() -> None:
    """EventBridge tells topics nothing that a condition could look at (its user guide): with one, nothing comes."""
    mailed = resolved(text_of(), AlarmEmail="a@b.c")[1]
    allowed = {
        one["Principal"]["Service"]: one.get("Condition")
        for one in mailed["TopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        if one["Effect"] == "Allow" and one["Action"] == "sns:Publish" and one["Resource"] == "Topic"
    }
    assert allowed.keys() == {"cloudwatch.amazonaws.com", "events.amazonaws.com"}
    assert allowed["events.amazonaws.com"] is None
    rules = [one["Properties"] for one in mailed.values() if one["Type"] == "AWS::Events::Rule"]
    assert rules
    assert all([target["Arn"] for target in rule["Targets"]] == ["Topic"] for rule in rules)


def told(alarm: str) -> str:
    return str(resolved(text_of(), AlarmEmail="a@b.c")[1][alarm]["Properties"]["AlarmDescription"])


@pytest.mark.parametrize("alarm", ["LateAlarm", "AtRiskAlarm"])
def test_the_mail_that_calls_for_more_containers_holds_the_command_that_gives_them(alarm: str) -> None:
    """Who reads it has minutes, and neither this repository nor the service's name at hand."""
    for part in ("register-scalable-target --region us-east-1 --service-namespace ecs", "service/Cluster/Service.Name",
                 "--scalable-dimension ecs:service:DesiredCount --max-capacity"):  # fmt: skip
        assert part in told(alarm)
    assert len(told(alarm)) < 800  # CloudWatch takes 1,024 characters, and real names are longer than these


@pytest.mark.parametrize(
    ("alarm", "remedy"),
    [
        ("BelowDesiredAlarm", "the service's events"),
        ("StalledAlarm", "log query `errors`"),
        ("CrashAlarm", "log query `deaths`"),
        ("DeadLetterAlarm", "CONSUMER_QUEUE_URL=Queue consumer failed list"),
    ],
)
def test_every_other_mail_says_where_to_look(alarm: str, remedy: str) -> None:
    assert remedy in told(alarm)


def ecs_says(kind: str, resource: str, **detail: str) -> dict[str, Any]:
    return {"source": "aws.ecs", "detail-type": kind, "resources": [resource], "detail": detail}


def stopped(why: str, **detail: str) -> dict[str, Any]:
    told = {"clusterArn": "Cluster.Arn", "lastStatus": "STOPPED", "stopCode": why, **detail}
    return ecs_says("ECS Task State Change", "task", **told)


def matches(pattern: Any, event: Any) -> bool:
    """Match an event as EventBridge does: each list in a pattern names what may be there."""
    if isinstance(pattern, dict):
        return all(name in event and matches(one, event[name]) for name, one in pattern.items())
    return bool(set(pattern) & set(event if isinstance(event, list) else [event]))


ACTION = "ECS Service Action"


@pytest.mark.parametrize(
    ("event", "mailed"),
    [
        (ecs_says(ACTION, "Service", eventType="WARN", eventName="SERVICE_TASK_START_IMPAIRED"), True),
        (ecs_says(ACTION, "Service", eventType="ERROR", eventName="SERVICE_TASK_PLACEMENT_FAILURE"), True),
        (ecs_says(ACTION, "Service", eventType="INFO", eventName="SERVICE_STEADY_STATE"), False),
        (ecs_says(ACTION, "Another", eventType="ERROR", eventName="SERVICE_TASK_PLACEMENT_FAILURE"), False),
        (ecs_says("ECS Deployment State Change", "Service", eventType="ERROR"), True),
        (stopped("EssentialContainerExited"), True),
        (stopped("SpotInterruption"), False),
        (stopped("ServiceSchedulerInitiated"), False),
        (stopped("EssentialContainerExited", lastStatus="DEPROVISIONING"), False),
        (stopped("EssentialContainerExited", clusterArn="Another.Arn"), False),
    ],
)  # fmt: skip
def test_what_keeps_containers_from_running_is_mailed_once_and_what_is_usual_is_not(
    event: dict[str, Any],
    mailed: bool,  # noqa: FBT001
) -> None:
    """No alarm tells of it: while no container runs there is no metric."""
    found = resolved(text_of(), AlarmEmail="a@b.c")[1].values()
    patterns = [one["Properties"]["EventPattern"] for one in found if one["Type"] == "AWS::Events::Rule"]
    assert sum(matches(pattern, event) for pattern in patterns) == mailed

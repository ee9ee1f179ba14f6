"""A stack of CloudFormation: the wait, and the failures in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from consumer.desk.stack.stack import LOOK_EVERY, Stack
from consumer.errors import ConsumerError
from unit.desk.standin_cloudformation import StandIn, change, described, event, proposed

if TYPE_CHECKING:
    from consumer.testing import FakeClock


def stack(cloudformation: StandIn, clock: FakeClock) -> Stack:
    return Stack(cloudformation, clock, "orders")


def test_the_end_of_a_change_is_waited_for(clock: FakeClock) -> None:
    going = [described("UPDATE_IN_PROGRESS")] * 3
    stand_in = StandIn(describe_stacks=[*going, described("UPDATE_COMPLETE")], describe_change_set=[proposed()])
    asked = stack(stand_in, clock)
    asked.propose("template", [], new=False)
    began = clock.monotonic()
    assert asked.execute().deployed
    assert clock.monotonic() - began == 3 * LOOK_EVERY


def test_a_first_deployment_that_fails_is_removed_as_a_whole_and_is_no_success(clock: FakeClock) -> None:
    """Gone is how a failed one comes to rest."""
    stand_in = StandIn(describe_stacks=[described("DELETE_COMPLETE")], describe_change_set=[proposed()])
    asked = stack(stand_in, clock)
    asked.propose("template", [], new=True)
    assert stand_in.made("create_change_set")[0]["OnStackFailure"] == "DELETE"
    assert not asked.execute().deployed


def test_what_failed_is_told_the_cause_first_and_nothing_of_earlier_deployments(clock: FakeClock) -> None:
    events = [
        event("orders", "UPDATE_ROLLBACK_COMPLETE", token="another"),
        event("Topic", "CREATE_FAILED", "Resource creation cancelled"),
        event("Alarm", "CREATE_FAILED", "name already exists"),
        event("Service", "UPDATE_FAILED", "ECS Deployment Circuit Breaker was triggered"),
        event("Service", "UPDATE_IN_PROGRESS"),
    ]
    older = event("Queue", "CREATE_FAILED", "last week", token="earlier")
    stand_in = StandIn(
        describe_stack_events=[{"StackEvents": events, "NextToken": "more"}, {"StackEvents": [older], "NextToken": "x"}]
    )
    told = stack(stand_in, clock).failures()
    assert [line.split(" (")[0] for line in told] == ["Service", "Alarm"]
    assert "last lines in the log group" in told[0]
    assert len(stand_in.made("describe_stack_events")) == 2  # a long-lived stack's older ones are not read


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("DeleteClusters SDK Error: The Cluster cannot be deleted while Tasks are active.", "once more in two minutes"),
        ("resource sg-0a1b has a dependent object (Service: Ec2, Status Code: 400)", "remove that rule"),
    ],
)
def test_what_keeps_a_stack_from_being_deleted_comes_with_what_to_do(
    clock: FakeClock, reason: str, remedy: str
) -> None:
    stand_in = StandIn(describe_stack_events=[{"StackEvents": [event("Cluster", "DELETE_FAILED", reason)]}])
    (told,) = stack(stand_in, clock).failures()
    assert remedy in told


def test_all_pages_of_a_change_are_shown(clock: FakeClock) -> None:
    pages = [proposed(Changes=[change("Queue")], NextToken="2"), proposed(Changes=[change("Service")])]
    found = stack(StandIn(describe_change_set=pages), clock).propose("template", [], new=False)
    assert [one["LogicalResourceId"] for one in found or ()] == ["Queue", "Service"]


@pytest.mark.parametrize(
    "reason", ["The submitted information didn't contain changes.", "No updates are to be performed."]
)
def test_a_change_of_nothing_is_forgotten_and_no_failure(clock: FakeClock, reason: str) -> None:
    stand_in = StandIn(describe_change_set=[proposed("CREATE_IN_PROGRESS"), proposed("FAILED", reason)])
    assert stack(stand_in, clock).propose("template", [], new=False) is None
    assert stand_in.made("delete_change_set")
    assert not stand_in.made("delete_stack")


def test_a_change_that_is_refused_says_why_and_leaves_no_empty_stack(clock: FakeClock) -> None:
    stand_in = StandIn(describe_change_set=[proposed("FAILED", "Template error: no such type")])
    with pytest.raises(ConsumerError, match="no such type"):
        stack(stand_in, clock).propose("template", [], new=True)
    assert stand_in.made("delete_stack")


@pytest.mark.parametrize(
    ("answer", "there"),
    [
        (
            ClientError({"Error": {"Code": "ValidationError", "Message": "orders does not exist"}}, "DescribeStacks"),
            False,
        ),
        (described("REVIEW_IN_PROGRESS"), False),
        (described("UPDATE_COMPLETE"), True),
        (described("ROLLBACK_COMPLETE"), True),
    ],
)
def test_a_stack_is_there_when_something_is_in_it(clock: FakeClock, answer: Any, there: bool) -> None:  # noqa: FBT001
    assert (stack(StandIn(describe_stacks=[answer]), clock).state() is not None) is there

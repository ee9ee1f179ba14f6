"""A stack of CloudFormation: the wait, the failures in words, what is refused before anything is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, NoRegionError

from consumer.desk.stack import account, deploy, given
from consumer.desk.stack.stack import LOOK_EVERY, Stack
from consumer.errors import ConsumerError
from consumer.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TOKEN = "consumer-1700001000"  # the fake clock's time


class StandIn:
    """CloudFormation, which answers what it was given, in order, the last one again and again."""

    def __init__(self, **answers: Sequence[Any]) -> None:
        self.answers = {name: list(several) for name, several in answers.items()}
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            self.calls.append((name, arguments))
            left = self.answers.get(name, [{}])
            found = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(found, Exception):
                raise found
            return found

        return call

    def made(self, name: str) -> list[dict[str, Any]]:
        return [arguments for called, arguments in self.calls if called == name]


def described(status: str) -> dict[str, Any]:
    return {"Stacks": [{"StackStatus": status, "StackId": "arn:orders"}]}


def event(name: str, status: str, reason: str = "", token: str = TOKEN) -> dict[str, Any]:
    return {
        "LogicalResourceId": name, "ResourceType": "AWS::ECS::Service", "ResourceStatus": status,
        "ResourceStatusReason": reason, "ClientRequestToken": token,
    }  # fmt: skip


def stack(cloudformation: StandIn, clock: FakeClock) -> Stack:
    return Stack(cloudformation, clock, "orders")


def proposed(status: str = "CREATE_COMPLETE", reason: str = "", **more: Any) -> dict[str, Any]:
    return {"Status": status, "StatusReason": reason, "Changes": [], **more}


def change(name: str) -> dict[str, Any]:
    return {
        "Type": "Resource",
        "ResourceChange": {"Action": "Modify", "LogicalResourceId": name, "ResourceType": "AWS::SQS::Queue"},
    }


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


def deployed(monkeypatch: pytest.MonkeyPatch, stand_in: StandIn, *words: str) -> int:
    monkeypatch.setattr(account, "real", lambda _service: stand_in)
    return account.run("deploy", deploy.deploy, deploy.arguments(["orders", *words]))


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        ("UPDATE_IN_PROGRESS", "wait for its end"),
        ("ROLLBACK_COMPLETE", "scripts/teardown orders"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name orders"),
    ],
)
def test_a_stack_that_cannot_be_changed_is_left_alone_and_says_what_helps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: str, remedy: str
) -> None:
    stand_in = StandIn(describe_stacks=[described(status)])
    assert deployed(monkeypatch, stand_in, "Image=repo:1") == 64
    assert remedy in capsys.readouterr().err
    assert not stand_in.made("create_change_set")


def test_a_deployment_that_fails_says_why_and_exits_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    events = [event("Service", "UPDATE_FAILED", "is not authorized to perform: ecs")]
    stand_in = StandIn(
        describe_stacks=[described("UPDATE_COMPLETE"), described("UPDATE_ROLLBACK_COMPLETE")],
        describe_change_set=[proposed(Changes=[change("Service")])],
        describe_stack_events=[{"StackEvents": events}],
    )
    monkeypatch.setattr(deploy, "Clock", FakeClock)
    assert deployed(monkeypatch, stand_in, "Handler=a:b", "VpcId=vpc-1", "Subnets=subnet-1") == 1
    said = capsys.readouterr().err
    assert "UPDATE_ROLLBACK_COMPLETE" in said
    assert "Service (AWS::ECS::Service): is not authorized to perform: ecs To do: ask for this permission" in said


def test_what_is_not_given_stays_as_it_is_and_what_the_template_no_longer_has_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {"Handler": "a:b", "VpcId": "vpc-1", "Subnets": "subnet-1,subnet-2", "Cpu": "512", "Forgotten": "1"}
    there = {
        "StackStatus": "UPDATE_COMPLETE",
        "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in before.items()],
        "Outputs": [{"OutputKey": "DashboardUrl", "OutputValue": "https://dashboard"}],
    }
    stand_in = StandIn(describe_stacks=[{"Stacks": [there]}], describe_change_set=[proposed(Changes=[change("Queue")])])
    assert deployed(monkeypatch, stand_in, "Memory=4096", "Image=repo:2") == 0
    asked = stand_in.made("create_change_set")[0]
    assert asked["ChangeSetType"] == "UPDATE"
    assert asked["Parameters"] == [
        {"ParameterKey": "Memory", "ParameterValue": "4096"},
        {"ParameterKey": "Image", "ParameterValue": "repo:2"},
        *({"ParameterKey": name, "UsePreviousValue": True} for name in ("Cpu", "Handler", "Subnets", "VpcId")),
    ]
    assert "https://dashboard" in capsys.readouterr().out


ABSENT = ClientError({"Error": {"Code": "ValidationError", "Message": "orders does not exist"}}, "DescribeStacks")
DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeStacks")
FIRST = ("Handler=a:b", "VpcId=vpc-1", "Subnets=subnet-1")


@pytest.mark.parametrize(
    ("answer", "words", "kind", "said"),
    [
        (described("UPDATE_COMPLETE"), FIRST, "UPDATE", ""),
        (ABSENT, FIRST, "CREATE", ""),
        (DENIED, FIRST[:1], "CREATE", "what a first one takes"),
        (NoRegionError(), FIRST[:1], "CREATE", "what a first one takes"),
    ],
)
def test_a_dry_run_looks_whether_the_stack_is_there_or_says_that_it_cannot(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    answer: Any, words: tuple[str, ...], kind: str, said: str,
) -> None:  # fmt: skip
    stand_in = StandIn(describe_stacks=[answer])
    assert deployed(monkeypatch, stand_in, "--dry-run", *words) == 0
    shown = capsys.readouterr()
    assert f"ChangeSetType='{kind}'" in shown.out
    assert said in shown.err
    assert bool(said) == bool(shown.err)
    assert {name for name, _ in stand_in.calls} == {"describe_stacks"}


def test_a_dry_run_of_a_first_deployment_names_what_it_must_be_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deployed(monkeypatch, StandIn(describe_stacks=[ABSENT]), "--dry-run", "Handler=a:b") == 64
    assert "VpcId, Subnets" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("Procesess=3", "did you mean Processes?"),
        ("Cpu=300", "Cpu"),
        ("Deadline=9:00", "Deadline"),
        ("Handler", "Name=Value"),
    ],
)
def test_a_slip_is_said_before_anybody_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], word: str, said: str
) -> None:
    stand_in = StandIn()
    assert deployed(monkeypatch, stand_in, word) == 64
    assert said in capsys.readouterr().err
    assert not stand_in.calls


def test_memory_that_fargate_does_not_have_beside_this_cpu_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("Handler=a:b", "VpcId=vpc-1", "Subnets=subnet-1", "Cpu=256", "Memory=4096")
    assert deployed(monkeypatch, StandIn(describe_stacks=[{"Stacks": []}]), *words) == 64
    assert "one of 512, 1024, 2048" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "offset"),
    [
        (["TimeZone=Asia/Kolkata"], "5.5"),
        (["TimeZone=America/New_York"], "-5"),
        (["TimeZone=Asia/Tokyo", "UtcOffset=9"], "9"),
        (["Processes=4"], None),
    ],
)
def test_a_time_zone_brings_its_offset(words: list[str], offset: str | None) -> None:
    asked = deploy.arguments(["orders", *words])
    assert deploy.wanted(asked).get("UtcOffset") == offset


def test_the_command_line_wins_over_a_file_and_another_zone_over_its_offset(tmp_path: Path) -> None:
    path = tmp_path / "plan"
    path.write_text("# the plan\n  Cpu=256 Memory=1024 \\\n  TimeZone=UTC UtcOffset=0\n")
    found = deploy.wanted(deploy.arguments(["orders", "--file", str(path), "TimeZone=Asia/Tokyo", "Cpu=512"]))
    assert found == {"Cpu": "512", "Memory": "1024", "TimeZone": "Asia/Tokyo", "UtcOffset": "9"}


@pytest.mark.parametrize("text", ['{"parameters": {"Cpu": 256}, "offers": []}', '{"Cpu": "256"}', "Cpu=256"])
def test_a_plan_is_read_as_it_is_written(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan"
    path.write_text(text)
    assert given.of_file(path) == {"Cpu": "256"}


@pytest.mark.parametrize("text", ["{", '{"parameters": [1]}', "Cpu", '"Cpu=1'])
def test_a_file_that_is_no_plan_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan"
    path.write_text(text)
    with pytest.raises(ConsumerError, match=str(path)):
        given.of_file(path)
    with pytest.raises(ConsumerError, match="cannot be read"):
        given.of_file(tmp_path / "none")

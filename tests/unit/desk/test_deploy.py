"""`scripts/deploy`: what is refused before anything is asked, what is asked, and what is said when it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, NoRegionError

from consumer import cli
from consumer.desk.stack import account, deploy, given, teardown
from consumer.errors import ConsumerError
from consumer.testing import FakeClock
from unit.desk.standin_cloudformation import StandIn, change, described, event, proposed

if TYPE_CHECKING:
    from pathlib import Path


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
    assert deployed(monkeypatch, stand_in, "Handler=a:b", "VpcId=vpc-1", "Subnets=subnet-1,subnet-2") == 1
    said = capsys.readouterr().err
    assert "UPDATE_ROLLBACK_COMPLETE" in said
    assert "Service (AWS::ECS::Service): is not authorized to perform: ecs. To do: ask for this permission" in said


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


def test_what_is_asked_for_is_shown_beside_what_the_stack_has(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Resources alone would not tell the plan of another queue from the right one."""
    before = {"Handler": "a:b", "VpcId": "vpc-1", "Subnets": "subnet-1,subnet-2", "Deadline": "09:00", "Cpu": "256"}
    kept = [{"ParameterKey": name, "ParameterValue": value} for name, value in before.items()]
    there = {"StackStatus": "UPDATE_COMPLETE", "Parameters": kept}
    stand_in = StandIn(describe_stacks=[{"Stacks": [there]}], describe_change_set=[proposed(Changes=[change("Queue")])])
    assert deployed(monkeypatch, stand_in, "--review", "Deadline=09:15", "Cpu=256", "LogDays=7") == 0
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert shown[:3] == [["parameter", "was", "will", "be"], ["Deadline", "09:00", "09:15"], ["LogDays", "7"]]
    assert ["Modify", "Queue", "AWS::SQS::Queue"] in shown[3:]


ABSENT = ClientError({"Error": {"Code": "ValidationError", "Message": "orders does not exist"}}, "DescribeStacks")
DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeStacks")
FIRST = ("Handler=a:b", "VpcId=vpc-1", "Subnets=subnet-1,subnet-2")


@pytest.mark.parametrize(
    ("answer", "words", "kind", "said"),
    [
        (described("UPDATE_COMPLETE"), FIRST, "UPDATE", ""),
        (ABSENT, FIRST, "CREATE", ""),
        (DENIED, FIRST, "CREATE", "what a first one takes"),
        (NoRegionError(), FIRST, "CREATE", "You must specify a region. So this is what a first one takes."),
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


@pytest.mark.parametrize("answer", [ABSENT, DENIED, NoRegionError()])  # where nobody knows, it is shown as a first one
def test_a_dry_run_of_a_first_deployment_names_what_it_must_be_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: Exception
) -> None:
    assert deployed(monkeypatch, StandIn(describe_stacks=[answer]), "--dry-run", "Handler=a:b") == 64
    assert "VpcId, Subnets" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("Procesess=3", "did you mean Processes?"),
        ("Cpu=300", "Cpu"),
        ("Deadline=9:00", "Deadline: expected a time such as 09:00; got 9:00"),
        ("Handler", "Name=Value"),
        ("Handler=orders", "module:function"),
        ("AlarmEmail=notmail", "AlarmEmail: expected an address such as you@example.com"),
        ("ExpectedSeconds=1e400", "ExpectedSeconds"),
        ("ExpectedSeconds=nan", "ExpectedSeconds"),
    ],
)
def test_a_slip_is_said_before_anybody_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], word: str, said: str
) -> None:
    stand_in = StandIn()
    assert deployed(monkeypatch, stand_in, word) == 64
    assert said in capsys.readouterr().err
    assert not stand_in.calls


@pytest.mark.parametrize("name", ["bad name!", "1orders", "", "o" * 129])
def test_a_name_that_no_stack_can_have_is_refused_before_anybody_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    stand_in = StandIn()
    monkeypatch.setattr(account, "real", lambda _service: stand_in)
    for command, work, read in (
        ("deploy", deploy.deploy, deploy.arguments),
        ("teardown", teardown.teardown, teardown.arguments),
    ):
        assert account.run(command, work, read([name])) == 64
        assert "letters, digits and hyphens" in capsys.readouterr().err
    assert not stand_in.calls


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("Subnets=subnet-1", "Subnets: expected two or more"),
        ("Subnets=subnet-1,subnet-1", "Subnets: expected two or more"),
        ("Subnets=subnet-1,", "Subnets: expected two or more"),
        ("TimeLimit=100", "got TimeLimit=100 ExpectedSeconds=165"),
        ("Deadline=10:00", "Deadline=10:00 CloseTime=09:30"),
        ("CloseTime=08:00", "Deadline=09:00 CloseTime=08:00"),
    ],
)
def test_what_does_not_go_with_what_the_stack_has_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], word: str, said: str
) -> None:
    kept = [{"ParameterKey": name, "ParameterValue": value} for name, value in (one.split("=") for one in FIRST)]
    there = {"StackStatus": "UPDATE_COMPLETE", "Parameters": kept}
    stand_in = StandIn(describe_stacks=[{"Stacks": [there]}])
    assert deployed(monkeypatch, stand_in, word) == 64
    assert said in capsys.readouterr().err
    assert not stand_in.made("create_change_set")


def test_a_template_without_parameters_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("Resources:\n  Queue: {Type: AWS::SQS::Queue}\n")
    assert deployed(monkeypatch, StandIn(describe_stacks=[ABSENT]), "--template", str(path)) == 64
    assert "0 resources AWS::ECS::TaskDefinition" in capsys.readouterr().err


def test_every_failure_is_listed_for_there_is_no_other_list(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in = StandIn(
        describe_stacks=[described("UPDATE_COMPLETE"), described("UPDATE_ROLLBACK_COMPLETE")],
        describe_change_set=[proposed(Changes=[change("Service")])],
        describe_stack_events=[{"StackEvents": [event(f"R{number}", "UPDATE_FAILED") for number in range(12)]}],
    )
    monkeypatch.setattr(deploy, "Clock", FakeClock)
    assert deployed(monkeypatch, stand_in, *FIRST) == 1
    assert capsys.readouterr().err.count("R") >= 12


PRINTING = """
from consumer.desk.stack import account, deploy
raise SystemExit(account.run("deploy", lambda _: print("x" * int(SIZE)) or 0, deploy.arguments(["orders"])))
"""


@pytest.mark.parametrize("size", ["1", "99999"])  # what is printed at once, and what waits for the end
def test_where_nobody_reads_on_a_script_ends_without_a_word(size: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-c", PRINTING.replace("SIZE", size)]
    done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_memory_that_fargate_does_not_have_beside_this_cpu_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("Handler=a:b", "VpcId=vpc-1", "Subnets=subnet-1,subnet-2", "Cpu=256", "Memory=4096")
    assert deployed(monkeypatch, StandIn(describe_stacks=[{"Stacks": []}]), *words) == 64
    assert "one of 512, 1024, 2048" in capsys.readouterr().err


def test_the_command_line_wins_over_a_file(tmp_path: Path) -> None:
    path = tmp_path / "plan"
    path.write_text("# the plan\n  Cpu=256 Memory=1024 \\\n  TimeZone=UTC\n")
    found = deploy.wanted(deploy.arguments(["orders", "--file", str(path), "TimeZone=Asia/Tokyo", "Cpu=512"]))
    assert found == {"Cpu": "512", "Memory": "1024", "TimeZone": "Asia/Tokyo"}


@pytest.mark.parametrize("text", ['{"parameters": {"Cpu": 256}, "offers": []}', '{"Cpu": "256"}', "Cpu=256"])
def test_a_plan_is_read_as_it_is_written(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan"
    path.write_text(text)
    assert given.of_file(path) == {"Cpu": "256"}


def test_a_plan_s_page_is_a_file_of_its_parameters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    day = ["plan", "--messages", "2000", "--seconds", "30..300", "--from", "04:00", "--by", "09:00"]
    found = []
    for words in (day, [*day, "--json"]):
        assert cli.main(words) == 0
        path = tmp_path / "plan"
        path.write_text(capsys.readouterr().out)
        found.append(given.of_file(path))
    page, machine = found
    assert page == machine
    assert page["Deadline"] == "09:00"


def test_calibrated_figures_are_not_taken_for_a_plan(tmp_path: Path) -> None:
    path = tmp_path / "calibrated.json"
    path.write_text('{"measured": "2026-11-20", "message_mib": 80}')
    with pytest.raises(ConsumerError, match=r"calibrated\.json: expected a plan's JSON.*consumer plan --calibrated"):
        given.of_file(path)


def test_without_a_name_only_the_name_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        deploy.arguments([])
    assert capsys.readouterr().err.endswith("required: stack\n")


def test_what_boto3_says_and_what_to_do_are_two_sentences(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for error, said in (
        (NoRegionError(), "a region. To do: set"),
        (NoCredentialsError(), "credentials. To do: log in"),
    ):
        assert deployed(monkeypatch, StandIn(describe_stacks=[error]), *FIRST) == 1
        assert said in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", '{"parameters": [1]}', "Cpu", '"Cpu=1', "", "# none\n", "{}"])
def test_a_file_that_is_no_plan_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan"
    path.write_text(text)
    with pytest.raises(ConsumerError, match=str(path)):
        given.of_file(path)
    with pytest.raises(ConsumerError, match="cannot be read"):
        given.of_file(tmp_path / "none")

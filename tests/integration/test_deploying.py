"""scripts/deploy and scripts/teardown against moto's CloudFormation, as far as that goes.

It knows neither alarms nor scaling and cannot say where they are, so the dashboard, which names alarms, is left out,
and the repository has a name. What it never does, failing and waiting, is tested in tests/unit/desk/test_stack.py.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from moto.cloudformation.models import ChangeSet

from consumer.desk.stack import account
from consumer.desk.stack.deploy import arguments as deploying
from consumer.desk.stack.deploy import deploy
from consumer.desk.stack.stack import Stack
from consumer.desk.stack.teardown import arguments as tearing_down
from consumer.desk.stack.teardown import teardown
from consumer.testing import FakeClock
from support.aws import client, empty_account

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TEXT = (Path(__file__).parents[2] / "ecs" / "template.yaml").read_text()

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse")


APPLY = ChangeSet.apply


def apply(change: ChangeSet) -> None:
    """Have moto work out a stack's outputs, too, which it forgets when that is changed by a change set."""
    APPLY(change)
    change.stack.template_dict = change.template_dict
    change.stack.output_map = change.stack._create_output_map()


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """The template as far as moto can make it."""
    whole = re.sub(r"(?ms)^  Dashboard:\n.*?(?=^  OutcomesQuery:)", "", TEXT)
    whole = re.sub(r"(?m)^  DashboardUrl:\n.*\n", "", whole)
    path = tmp_path / "template.yaml"
    path.write_text(
        whole.replace("      EmptyOnDelete: true", "      RepositoryName: orders\n      EmptyOnDelete: true")
    )
    return path


@pytest.fixture
def first(monkeypatch: pytest.MonkeyPatch, template: Path) -> Iterator[list[str]]:
    """The command line of a first deployment."""
    monkeypatch.setattr(ChangeSet, "apply", apply)
    with empty_account(monkeypatch):
        vpc = client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            client("ec2").create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"]
            for number in (1, 2)
        ]
        handler = "Handler=myapp.handlers:fetch"
        yield ["orders", "--template", str(template), handler, f"VpcId={vpc}", f"Subnets={','.join(subnets)}"]


def run(*words: str) -> int:
    return account.run("deploy", deploy, deploying(words))


def remove(*words: str) -> int:
    return account.run("teardown", teardown, tearing_down(words))


def stack() -> dict[str, Any]:
    found: dict[str, Any] = client("cloudformation").describe_stacks(StackName="orders")["Stacks"][0]
    return found


def parameters() -> dict[str, str]:
    return {one["ParameterKey"]: one["ParameterValue"] for one in stack()["Parameters"]}


def output(name: str) -> str:
    return next(str(one["OutputValue"]) for one in stack()["Outputs"] if one["OutputKey"] == name)


def test_a_stack_is_made_then_deleted_and_says_that_its_queues_are_kept(
    first: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*first, "TimeZone=Asia/Tokyo") == 0
    said = capsys.readouterr().out
    queue = output("QueueUrl")
    assert re.search(r"(?m)^Add +Queue +AWS::SQS::Queue$", said)
    assert queue in said
    assert "Next: scripts/push-image orders" in said
    assert parameters()["TimeZone"] == "Asia/Tokyo"

    assert remove("orders") == 0
    assert re.search(rf"Kept.*\n +queue +{re.escape(queue)}\n", capsys.readouterr().out)
    assert remove("orders") == 0  # once more does nothing
    assert "There is no stack orders" in capsys.readouterr().out


SMALL = """
Parameters: {Seconds: {Type: Number}, Name: {Type: String}}
Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref Name, VisibilityTimeout: !Ref Seconds}}
"""


@pytest.mark.usefixtures("first")
def test_a_stack_is_changed_by_what_is_given_and_the_rest_stays() -> None:
    """With a template that moto can change."""

    def propose(*given: tuple[str, str], kept: Sequence[str] = ()) -> tuple[Stack, list[dict[str, Any]] | None]:
        one = Stack(client("cloudformation"), FakeClock(), "orders")
        passed = [{"ParameterKey": name, "ParameterValue": value} for name, value in given]
        passed += [{"ParameterKey": name, "UsePreviousValue": True} for name in kept]  # type: ignore[dict-item]
        return one, one.propose(SMALL, passed, new=one.state() is None)

    one, changes = propose(("Seconds", "30"), ("Name", "orders"))
    assert [(change["Action"], change["LogicalResourceId"]) for change in changes or ()] == [("Add", "Queue")]
    assert one.execute().deployed
    one, _ = propose(("Seconds", "60"), kept=["Name"])
    assert one.execute().deployed
    url = client("sqs").get_queue_url(QueueName="orders")["QueueUrl"]
    asked = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert asked["Attributes"] == {"VisibilityTimeout": "60"}
    assert one.state() is not None
    assert one.delete().status == "DELETE_COMPLETE"
    assert one.state() is None


def test_a_review_shows_the_changes_and_leaves_nothing_behind(
    first: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*first, "--review") == 0
    assert "AWS::ECS::Service" in capsys.readouterr().out
    assert not client("sqs").list_queues().get("QueueUrls")
    standing = client("cloudformation").list_stacks()["StackSummaries"]
    assert {one["StackStatus"] for one in standing} <= {"DELETE_COMPLETE"}


@pytest.mark.parametrize("which", ["QueueUrl", "DeadLetterQueueUrl"])
def test_it_is_not_taken_down_while_messages_are_there_unless_told(
    first: list[str], capsys: pytest.CaptureFixture[str], which: str
) -> None:
    assert run(*first) == 0
    url = output(which)
    client("sqs").send_message(QueueUrl=url, MessageBody="{}")
    client("sqs").receive_message(QueueUrl=url)  # in hand is there, too
    assert remove("orders") == 1
    assert f"has 1 messages: {url}" in capsys.readouterr().err
    assert stack()["StackStatus"] == "CREATE_COMPLETE"
    assert remove("orders", "--with-messages") == 0


def test_a_first_deployment_names_what_it_must_be_told(first: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*first[:4]) == 64
    assert "VpcId, Subnets" in capsys.readouterr().err
    assert not client("cloudformation").list_stacks()["StackSummaries"]

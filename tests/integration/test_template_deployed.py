"""The template's resources, made one after another by the services' own interfaces as moto has them, and read back.

moto's CloudFormation leaves out most of what matters here (scaling, alarms, policies) without saying so; its services
do not. None of it is evaluated there: what alarms and policies do is tested in tests/unit/fleet.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cfnlint.api import ManualArgs, lint

from consumer.fleet.cloud.intrinsics import Resolver, loaded
from consumer.fleet.cloud.parameters import values_of
from support.aws import REGION, client, empty_account

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = (Path(__file__).parents[2] / "ecs" / "template.yaml").read_text()
MAIL = "people@example.com"


NUMBERS = {"base", "weight", "stopTimeout"}  # CloudFormation makes numbers of parameters' texts, by its schemas
RENAMED = {"clusterSettings": "settings"}


def camel(node: Any) -> Any:
    """Write a resource's properties as ECS's own interface has them."""
    if isinstance(node, list):
        return [camel(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {}
    for name, value in node.items():
        key = name[0].lower() + name[1:]
        told = value if key == "options" else camel(value)  # of a log driver: names that are nobody's fields
        made[RENAMED.get(key, key)] = int(told) if key in NUMBERS else told
    return made


class Stack:
    """What has been made so far, under the template's names, and what it takes to make more."""

    def __init__(self, **parameters: object) -> None:
        self.made: dict[str, str] = {}
        self._template = loaded(TEXT)
        self._values = values_of(self._template["Parameters"], parameters)

    def properties(self, name: str) -> Any:
        """Give a resource's properties, with the physical names of what has been made."""
        return Resolver(self._put_in(self._template), self._values).of(
            self._put_in(self._template["Resources"][name]["Properties"])
        )

    def named(self, kind: str) -> list[str]:
        return [name for name, one in self._template["Resources"].items() if one["Type"] == f"AWS::{kind}"]

    def _put_in(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._put_in(one) for one in node]
        if isinstance(node, str):
            return re.sub(r"\$\{([\w.]+)\}", lambda found: self.made.get(found[1], found[0]), node)
        if not isinstance(node, dict):
            return node
        if node.keys() == {"Ref"} and node["Ref"] in self.made:
            return self.made[node["Ref"]]
        if node.keys() == {"Fn::GetAtt"} and ".".join(node["Fn::GetAtt"]) in self.made:
            return self.made[".".join(node["Fn::GetAtt"])]
        return {name: self._put_in(value) for name, value in node.items()}


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    with empty_account(monkeypatch):
        vpc = client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = client("ec2").create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        made = Stack(
            Handler="myapp.handlers:fetch", Image="repo:1", VpcId=vpc, Subnets=[subnet], AlarmEmail=MAIL,
            TimeZone="Asia/Tokyo", MaxContainers=20, OpenContainers=2,
        )  # fmt: skip
        queues(made)
        surroundings(made)
        yield made


def queues(stack: Stack) -> None:
    sqs = client("sqs")
    for name in ("DeadLetterQueue", "Queue"):
        attributes = {
            key: json.dumps(value) if isinstance(value, dict) else str(value).lower()
            for key, value in stack.properties(name).items()
        }
        url = sqs.create_queue(QueueName=f"stack-{name}", Attributes=attributes)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        stack.made |= {name: url, f"{name}.Arn": arn, f"{name}.QueueName": f"stack-{name}"}
    policy = stack.properties("QueuePolicy")
    for url in policy["Queues"]:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy["PolicyDocument"])})


def surroundings(stack: Stack) -> None:
    """Make what the service stands on."""
    logs, iam = client("logs"), client("iam")
    logs.create_log_group(logGroupName="stack-logs")
    logs.put_retention_policy(
        logGroupName="stack-logs", retentionInDays=int(stack.properties("LogGroup")["RetentionInDays"])
    )
    repository = client("ecr").create_repository(repositoryName="stack", imageTagMutability="IMMUTABLE")["repository"]
    cluster = client("ecs").create_cluster(clusterName="stack", **camel(stack.properties("Cluster")))["cluster"]
    group = stack.properties("SecurityGroup")
    group_id = client("ec2").create_security_group(
        GroupName="stack", Description=group["GroupDescription"], VpcId=group["VpcId"]
    )["GroupId"]
    stack.made |= {
        "LogGroup": "stack-logs", "LogGroup.Arn": "arn:aws:logs:x:1:log-group:stack-logs:*",
        "Cluster": cluster["clusterName"],
        "Repository.Arn": repository["repositoryArn"], "Repository.RepositoryUri": repository["repositoryUri"],
        "SecurityGroup": group_id,
    }  # fmt: skip
    for name in stack.named("IAM::Role"):
        role = stack.properties(name)
        trust = json.dumps(role["AssumeRolePolicyDocument"])
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        for policy in role["Policies"]:
            text = json.dumps(policy["PolicyDocument"])
            iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=text)
        stack.made[f"{name}.Arn"] = arn


def service(stack: Stack) -> Any:
    """Make the task definition and the service; give the service. moto does not keep its providers."""
    ecs = client("ecs")
    task = camel(stack.properties("TaskDefinition"))
    registered = ecs.register_task_definition(**task)["taskDefinition"]
    stack.made["TaskDefinition"] = registered["taskDefinitionArn"]
    wanted = camel(stack.properties("Service"))
    made = ecs.create_service(serviceName="stack", desiredCount=0, **wanted)["service"]
    stack.made |= {"Service": made["serviceArn"], "Service.Name": made["serviceName"]}
    return ecs.describe_services(cluster="stack", services=["stack"])["services"][0]


def target(stack: Stack) -> Any:
    """Register the scalable target with its scheduled actions."""
    scaling = client("application-autoscaling")
    wanted = stack.properties("ScalableTarget")
    where = {name: wanted[name] for name in ("ServiceNamespace", "ScalableDimension", "ResourceId")}
    scaling.register_scalable_target(
        **where, MinCapacity=int(wanted["MinCapacity"]), MaxCapacity=int(wanted["MaxCapacity"])
    )
    for action in wanted["ScheduledActions"]:
        bounds = {name: int(value) for name, value in action.pop("ScalableTargetAction").items()}
        scaling.put_scheduled_action(**where, **action, ScalableTargetAction=bounds)
    return where


def policies(stack: Stack, where: Any) -> None:
    scaling = client("application-autoscaling")
    for name in stack.named("ApplicationAutoScaling::ScalingPolicy"):
        policy = {key: value for key, value in stack.properties(name).items() if key != "ScalingTargetId"}
        stack.made[name] = scaling.put_scaling_policy(**where, **policy)["PolicyARN"]


def alarms(stack: Stack) -> dict[str, Any]:
    """Make every alarm; give them as they are read back, by the template's names."""
    cloudwatch = client("cloudwatch")
    names = {}
    for name in stack.named("CloudWatch::Alarm"):
        alarm = stack.properties(name)
        cloudwatch.put_metric_alarm(**alarm | {"Threshold": float(alarm["Threshold"])})
        names[alarm["AlarmName"]] = name
        arn = f"arn:aws:cloudwatch:{REGION}:123456789012:alarm:{alarm['AlarmName']}"
        stack.made[f"{name}.Arn"] = arn
    found = cloudwatch.describe_alarms()["MetricAlarms"]
    return {names[one["AlarmName"]]: one for one in found}


def test_cfn_lint_has_nothing_to_say() -> None:
    found = lint(TEXT, config=ManualArgs(regions=[REGION, "us-east-1", "eu-central-1"]))
    assert [str(one) for one in found] == []


def test_the_queue_is_made_with_its_redrive_encryption_and_policy(stack: Stack) -> None:
    attributes = client("sqs").get_queue_attributes(QueueUrl=stack.made["Queue"], AttributeNames=["All"])["Attributes"]
    redrive = json.loads(attributes["RedrivePolicy"])
    assert (redrive["deadLetterTargetArn"], redrive["maxReceiveCount"]) == (stack.made["DeadLetterQueue.Arn"], 50)
    assert attributes["SqsManagedSseEnabled"] == "true"
    assert attributes["VisibilityTimeout"] == "90"
    assert "aws:SecureTransport" in attributes["Policy"]


def test_the_task_definition_and_the_service_are_made(stack: Stack) -> None:
    made = service(stack)
    assert made["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"] == [stack.made["SecurityGroup"]]
    task = client("ecs").describe_task_definition(taskDefinition=made["taskDefinition"])["taskDefinition"]
    assert (task["cpu"], task["memory"], task["runtimePlatform"]["cpuArchitecture"]) == ("256", "1024", "ARM64")
    assert task["taskRoleArn"] == stack.made["TaskRole.Arn"]
    (container,) = task["containerDefinitions"]
    assert int(container["stopTimeout"]) == 120
    assert container["healthCheck"]["command"] == ["CMD", "consumer", "health"]
    assert container["logConfiguration"]["options"]["mode"] == "non-blocking"
    environment = {one["name"]: one["value"] for one in container["environment"]}
    assert environment["CONSUMER_QUEUE_URL"] == stack.made["Queue"]
    assert environment["CONSUMER_TIMEZONE"] == "Asia/Tokyo"


def test_the_scalable_target_its_schedules_and_its_policies_are_made(stack: Stack) -> None:
    service(stack)
    where = target(stack)
    policies(stack, where)
    scaling = client("application-autoscaling")
    (found,) = scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"]
    assert (found["ResourceId"], found["MinCapacity"], found["MaxCapacity"]) == ("service/stack/stack", 0, 20)
    actions = scaling.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"]
    read = {
        one["ScheduledActionName"]: (one["Schedule"], one["Timezone"], one["ScalableTargetAction"]) for one in actions
    }
    assert read == {
        "open": ("cron(57 03 * * ? *)", "Asia/Tokyo", {"MinCapacity": 2, "MaxCapacity": 20}),
        "free": ("cron(15 04 * * ? *)", "Asia/Tokyo", {"MinCapacity": 0}),
        "close": ("cron(30 09 * * ? *)", "Asia/Tokyo", {"MinCapacity": 0, "MaxCapacity": 0}),
    }
    made = scaling.describe_scaling_policies(ServiceNamespace="ecs")["ScalingPolicies"]
    steps = {one["PolicyName"]: one["StepScalingPolicyConfiguration"] for one in made}
    assert {name: one["AdjustmentType"] for name, one in steps.items()} == {
        "follow": "ExactCapacity", "drained": "ExactCapacity", "wake": "ChangeInCapacity",
    }  # fmt: skip
    assert len(steps["follow"]["StepAdjustments"]) == 20


def test_every_alarm_is_made_and_starts_its_policy_or_tells_people(stack: Stack) -> None:
    service(stack)
    policies(stack, target(stack))
    stack.made["Topic"] = client("sns").create_topic(Name="stack")["TopicArn"]
    made = alarms(stack)
    for name, policy in (("Follow", "Follow"), ("Drained", "Drained"), ("Wake", "Wake")):
        assert made[f"{name}Alarm"]["AlarmActions"] == [stack.made[f"{policy}Policy"]]
    people = [one for one in made.values() if one["AlarmActions"] == [stack.made["Topic"]]]
    assert len(people) == 6
    wake = {one["Id"]: one.get("Expression") for one in made["WakeAlarm"]["Metrics"]}
    assert wake["attended"] == "IF(waiting, FILL(reporting, 0), 1)"
    follow = made["FollowAlarm"]
    assert follow["Dimensions"] == [{"Name": "Queue", "Value": "stack-Queue"}]
    assert (follow["Statistic"], follow["Period"], follow["EvaluationPeriods"]) == ("Maximum", 60, 1)


def test_the_dashboard_the_mail_and_the_rule_are_made(stack: Stack) -> None:
    service(stack)
    policies(stack, target(stack))
    topic = client("sns").create_topic(Name="stack")["TopicArn"]
    stack.made["Topic"] = topic
    for one in stack.properties("Topic")["Subscription"]:
        client("sns").subscribe(TopicArn=topic, **one)
    assert [one["Endpoint"] for one in client("sns").list_subscriptions()["Subscriptions"]] == [MAIL]
    alarms(stack)
    board = stack.properties("Dashboard")
    client("cloudwatch").put_dashboard(**board)
    body = json.loads(client("cloudwatch").get_dashboard(DashboardName=board["DashboardName"])["DashboardBody"])
    assert "stack-Queue" in json.dumps(body)
    assert all(arn.startswith("arn:") for arn in body["widgets"][0]["properties"]["alarms"])
    rule = stack.properties("CannotStart")
    client("events").put_rule(Name="cannot-start", EventPattern=json.dumps(rule["EventPattern"]))
    pattern = json.loads(client("events").describe_rule(Name="cannot-start")["EventPattern"])
    assert pattern["resources"] == [stack.made["Service"]]


def test_the_consumers_role_may_drain_this_queue_only(stack: Stack) -> None:
    document = client("iam").get_role_policy(RoleName="TaskRole", PolicyName="consume")["PolicyDocument"]
    drain = next(one for one in document["Statement"] if one["Sid"] == "Drain")
    assert drain["Resource"] == stack.made["Queue.Arn"]

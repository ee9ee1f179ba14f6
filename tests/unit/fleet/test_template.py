"""The template as the rehearsal reads it: values, bounds, alarms and policies, or what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from consumer.errors import TemplateError
from consumer.fleet.cloud.cron import Schedule
from consumer.fleet.cloud.intrinsics import Resolver, loaded
from consumer.fleet.cloud.resources import text_of
from consumer.fleet.cloud.scaling import Step, StepPolicy, Target, TargetTracking
from consumer.fleet.cloud.sizes import Size
from consumer.fleet.cloud.template import Deployment, read

if TYPE_CHECKING:
    from consumer.fleet.cloud.alarms import Alarm

SHIPPED = Path(__file__).parents[3] / "ecs" / "template.yaml"


def named(deployment: Deployment, name: str) -> Alarm:
    return next(alarm for alarm in deployment.alarms if alarm.name == f"consumer-{name}")


def test_what_the_parameters_say_is_what_is_deployed() -> None:
    deployment = read(
        Cpu=2048, Memory=4096, Processes=32, Concurrency=2, StopTimeout=90, MaxContainers=7, Architecture="X86_64"
    )
    assert (deployment.size, deployment.architecture) == (Size(2048, 4096), "X86_64")
    assert (deployment.processes, deployment.concurrency) == (32, 2)
    assert (deployment.slots, deployment.most) == (64, 7)
    assert deployment.stop_timeout == 90
    assert deployment.target == Target(0, 7, 0)
    assert deployment.settings["CONSUMER_MAX_CONTAINERS"] == "7"
    assert deployment.settings["CONSUMER_STOP_TIMEOUT"] == "90"


def test_the_day_is_opened_freed_and_closed_in_the_users_time_zone() -> None:
    deployment = read(
        TimeZone="Asia/Tokyo", OpenTime="22:05", FreeTime="22:30", Deadline="05:30", CloseTime="06:00", OpenContainers=3
    )
    found = {one.name: (one.cron, one.zone.key, one.minimum, one.maximum) for one in deployment.schedules}
    assert found == {
        "open": ("cron(05 22 * * ? *)", "Asia/Tokyo", 3, 5),
        "free": ("cron(30 22 * * ? *)", "Asia/Tokyo", 0, None),
        "close": ("cron(00 06 * * ? *)", "Asia/Tokyo", 0, 0),
    }
    assert deployment.settings["CONSUMER_TIMEZONE"] == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("weights", "mix"),
    [
        ({}, (1, 0.0)),
        ({"SpotWeight": 1}, (1, 0.5)),
        ({"SpotWeight": 1, "OnDemandWeight": 0, "OnDemandBase": 0}, (0, 1.0)),
        ({"SpotWeight": 1, "OnDemandWeight": 0, "OnDemandBase": 2}, (0, 1.0)),  # of no weight, hence none of its base
        ({"OnDemandWeight": 1, "SpotWeight": 3}, (1, 0.75)),
    ],
)
def test_how_many_containers_are_spot(weights: dict[str, int], mix: tuple[int, float]) -> None:
    deployment = read(**weights)
    assert (deployment.on_demand, deployment.spot_share) == mix


def test_alarms_that_scale_name_their_policies_and_the_others_tell_people() -> None:
    deployment = read(AlarmEmail="people@example.com")
    actions = {alarm.name.removeprefix("consumer-"): alarm.actions for alarm in deployment.alarms}
    scaling = {name: (name,) for name in ("follow", "drained", "wake")}
    people = dict.fromkeys(("late", "at-risk", "below-desired", "dead-letters", "stalled", "crashes"), ("Topic",))
    assert actions == scaling | people
    assert not any(named(read(), name).actions for name in people)


def test_parameters_reach_into_alarms_and_expressions() -> None:
    deployment = read(MaxContainers=7)
    assert named(deployment, "at-risk").threshold == 7
    assert named(deployment, "below-desired").queries[-1].expression == "IF(needed > 7, 7, needed) - reporting"


def test_the_template_can_be_a_file_of_ones_own() -> None:
    assert read() == read(SHIPPED.read_text()) == read(text_of(SHIPPED))


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"Maxcontainers": 3}, "Maxcontainers: unknown; did you mean MaxContainers"),
        ({"Nonsense": 3}, "Nonsense: unknown"),
        ({"MaxContainers": "ten"}, "MaxContainers: expected a number; got ten"),
        ({"MaxContainers": 0}, "MaxContainers: expected a number from 1 to 250; got 0"),
        ({"Processes": 1.5}, "CONSUMER_PROCESSES: expected a whole number"),
        ({"Cpu": 1000}, "Cpu: expected one of 256, 512"),
        ({"Cpu": 256, "Memory": 4096}, "Memory: expected one of 512, 1024, 2048; got 4096 beside Cpu=256"),
        ({"Memory": 1536}, "Memory: expected one of 512, 1024, 2048; got 1536 beside Cpu=256"),
        ({"Cpu": 16384, "Memory": 130000}, "Memory: expected a number from 512 to 122880"),
        ({"StopTimeout": 300}, "StopTimeout: expected a number from 30 to 120"),
        (
            {"TimeZone": "Tokyo/Asia"},
            "time zone .*expected one such as UTC or Asia/Tokyo; got Tokyo/Asia. To do: set TimeZone",
        ),
        ({"OpenTime": "4 am"}, "OpenTime: expected a time such as 09:00; got 4 am"),
        ({"OpenContainers": 6}, "at most MaxContainers; got OpenContainers=6 MaxContainers=5"),
        (
            {"SpotWeight": 0, "OnDemandWeight": 0},
            "expected one above 0; got 0 and 0. To do: set OnDemandWeight=1",
        ),
        (
            {"Deadline": "10:00"},
            "OpenTime, FreeTime, Deadline, CloseTime in this order.*got .*Deadline=10:00 CloseTime=09:30",
        ),
        ({"CloseTime": "08:59"}, "in this order"),
        ({"CloseTime": "03:00", "Deadline": "03:58"}, "in this order"),
        ({"OpenTime": "04:16"}, "in this order"),
        ({"OpenTime": "04:15"}, "in this order"),
        ({"FreeTime": "09:00"}, "in this order"),
        ({"AlarmEmail": "notmail"}, "AlarmEmail: expected an address such as you@example"),
        ({"ExpectedSeconds": "1e400"}, "ExpectedSeconds: expected a number from 0 to 39600"),
        ({"TimeLimit": 0}, "TimeLimit: expected a number from 1 to 39600"),
        ({"TimeLimit": 164}, "TimeLimit of at least ExpectedSeconds; got TimeLimit=164 ExpectedSeconds=165"),
        (
            {"DatabaseUrlSecretArn": "postgresql://a:b@c/d"},
            r"expected the ARN of a secret.*; got postgresql://\.\.\.\. To",
        ),
    ],
)
def test_what_is_wrong_is_named(parameters: dict[str, Any], why: str) -> None:
    with pytest.raises(TemplateError, match=why):
        read(**parameters)


@pytest.mark.parametrize(
    ("template", "why"),
    [("a:\n- b\n c: [", "no YAML"), ("only: text\n", "no Resources"), ("", "no Resources")],
)
def test_what_is_no_template_is_refused(template: str, why: str) -> None:
    with pytest.raises(TemplateError, match=why):
        read(template)


@pytest.mark.parametrize(
    ("word", "slip", "why"),
    [
        ("TreatMissingData: notBreaching", "TreatMissingData: notbreaching", "TreatMissingData is one of missing"),
        ("AdjustmentType: ExactCapacity", "AdjustmentType: ExactCapcity", "follow: AdjustmentType is one of Change"),
        ("DatapointsToAlarm: 2\n", "DatapointsToAlarm: 3\n", "drained: DatapointsToAlarm is at least 1 and at most"),
        ("EvaluationPeriods: 2\n", "EvaluationPeriods: 0\n", "drained: DatapointsToAlarm is at least 1 and at most"),
    ],
)
def test_a_slip_that_would_be_taken_for_something_else_is_refused(word: str, slip: str, why: str) -> None:
    whole = text_of()
    assert word in whole
    with pytest.raises(TemplateError, match=why):
        read(whole.replace(word, slip))


def test_a_template_that_is_not_there_is_said() -> None:
    with pytest.raises(TemplateError, match=r"none at nowhere\.yaml"):
        text_of(Path("nowhere.yaml"))


@pytest.mark.parametrize(
    "times",
    [
        {"CloseTime": "09:00"},
        {"OpenTime": "21:57", "FreeTime": "22:15", "Deadline": "03:00", "CloseTime": "03:30"},
        {"OpenTime": "23:57", "FreeTime": "00:15", "Deadline": "18:00", "CloseTime": "18:30"},
    ],
)
def test_a_day_may_go_over_midnight_and_close_at_its_deadline(times: dict[str, str]) -> None:
    assert read(**times).settings["CONSUMER_DEADLINE"] == times.get("Deadline", "09:00")


PARAMETERS = {"Name": "a:b", "List": ["x", "y"], "Count": "3"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!Ref Name", "a:b"),
        ("!Ref List", ["x", "y"]),
        ("!Ref Thing", "Thing"),
        ("!Ref AWS::Partition", "aws"),
        ("!GetAtt Thing.Arn", "Thing.Arn"),
        ("!GetAtt [Thing, Arn]", "Thing.Arn"),
        ("!Sub '${Name} ${Thing.Arn} ${Thing} ${!Name} ${AWS::Region}'", "a:b Thing.Arn Thing ${Name} us-east-1"),
        ("!Sub ['${Own}-${Name}', {Own: !Ref Count}]", "3-a:b"),
        ("!Select [1, !Split [':', !Ref Name]]", "b"),
        ("!Join ['-', !Ref List]", "x-y"),
        ("!If [Holds, 1, 2]", 1),
        ("!If [Fails, 1, 2]", 2),
        ("[!If [Fails, 1, !Ref AWS::NoValue], 3]", [3]),
        ("{a: !Ref AWS::NoValue, b: 1}", {"b": 1}),
        ("{Ref: Name}", "a:b"),
        ("{'Fn::Join': ['', [a, {Ref: Count}]]}", "a3"),
    ],
)
def test_intrinsic_functions_are_worked_out_as_far_as_they_can_be(text: str, value: object) -> None:
    template = {
        "Resources": {"Thing": {}},
        "Conditions": loaded(
            "{Holds: !Equals [!Ref Count, 3], Fails: !Not [!And [!Condition Holds, !Or [!Condition Holds]]]}"
        ),
    }
    assert Resolver(template, PARAMETERS).of(loaded(text)) == value


@pytest.mark.parametrize(
    "text",
    ["!Ref Nobody", "!GetAtt Nobody.Arn", "!Sub '${Nobody}'", "!If [Nobody, 1, 2]", "!Select [5, [a]]", "!Cidr [a, 1]"],
)
def test_what_cannot_be_worked_out_is_an_error_and_not_a_guess(text: str) -> None:
    with pytest.raises(TemplateError):
        Resolver({"Resources": {}}, {}).of(loaded(text))


TRACKING = """
Type: AWS::ApplicationAutoScaling::ScalingPolicy
Properties:
  PolicyName: track
  PolicyType: TargetTrackingScaling
  TargetTrackingScalingPolicyConfiguration:
    TargetValue: 1.5
    ScaleOutCooldown: 60
    CustomizedMetricSpecification:
      Metrics: [{Id: m, MetricStat: {Stat: Sum, Metric: {Namespace: N, MetricName: M}}}]
"""


def test_a_template_may_have_target_tracking_instead() -> None:
    whole = SHIPPED.read_text()
    added = "  Tracking:\n" + "".join(f"    {line}\n" for line in TRACKING.strip().splitlines())
    policies = read(whole.replace("\nOutputs:", f"{added}\nOutputs:")).policies
    found = next(policy for policy in policies if isinstance(policy, TargetTracking))
    assert (found.name, found.target, found.out_cooldown, found.in_cooldown) == ("track", 1.5, 60, 300)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("      Period: 60\n", "      Period: 300\n", "only periods of 60 s"),
        (
            "Schedule: !Sub",
            "Schedule: !Join\n            - ''\n            - [x]\n          Ignored: !Sub",
            "six fields",
        ),
        ("ReturnData: true", "ReturnData: false", "exactly one query returns data"),
        (
            'Expression: "IF(waiting, FILL(reporting, 0), 1)"',
            'Expression: "IF(waiting, FILL(reporting, 0)"',
            "got its end",
        ),
        ("Type: AWS::ECS::Service", "Type: AWS::ECS::Servant", "0 resources AWS::ECS::Service"),
        ("ComparisonOperator: LessThanThreshold", "ComparisonOperator: Less", "ComparisonOperator is one of G"),
    ],
)
def test_a_template_that_cannot_be_rehearsed_says_why(old: str, new: str, why: str) -> None:
    whole = SHIPPED.read_text()
    assert old in whole
    with pytest.raises(TemplateError, match=why):
        read(whole.replace(old, new, 1))


def test_a_steps_open_ends_and_a_schedules_missing_bound_stay_open() -> None:
    deployment = read()
    drained = next(policy for policy in deployment.policies if policy.name == "drained")
    assert isinstance(drained, StepPolicy)
    assert drained.steps == (Step(None, 0, 0),)
    assert [one.maximum for one in deployment.schedules if isinstance(one, Schedule)] == [5, None, 0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ScheduledActions:", "Others:", "expected ScheduledActions in ScalableTarget; got none"),
        ("PolicyName: follow", "Name: follow", "expected PolicyName in FollowPolicy; got none"),
        ("StepAdjustments:", "Others:", "expected StepAdjustments in FollowPolicy.StepScalingPolicyConfiguration; got"),
        ("Name: CONSUMER_PROCESSES", "Name: OTHER", "a part is missing, or of another kind than expected: .*PROCESSES"),
        ("ScheduledActions:", "ScheduledActions: 7\n      Others:", "of another kind than expected: "),
    ],
)
def test_a_part_that_is_missing_is_named(old: str, new: str, said: str) -> None:
    text = SHIPPED.read_text()
    assert old in text
    with pytest.raises(TemplateError, match=said):
        read(text.replace(old, new))

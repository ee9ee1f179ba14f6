"""What a linter does not see in the template, and what must agree with files beside it."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from consumer import environment
from consumer.fleet import metrics
from consumer.fleet.cloud.intrinsics import loaded
from consumer.fleet.cloud.resources import resolved
from consumer.fleet.cloud.scaling import StepPolicy
from consumer.fleet.cloud.template import read
from consumer.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUSE = Path(__file__).parents[3]
TEXT = (HOUSE / "ecs" / "template.yaml").read_text()
WHOLE = loaded(TEXT)
READ_AS: dict[str, set[str]] = {metric.name: {metric.statistic} for metric in metrics.ALL}
READ_AS[metrics.NEEDED.name].add(metrics.REPORTING)
READ_AS[metrics.SECONDS.name] |= {"p50", "p95", "Maximum"}


@cache
def resources(*given: tuple[str, object]) -> dict[str, Any]:
    return resolved(TEXT, **dict(given))[1]


def properties(name: str, *given: tuple[str, object]) -> Any:
    return resources(*given)[name]["Properties"]


def of_type(kind: str) -> Iterator[tuple[str, Any]]:
    return ((name, one["Properties"]) for name, one in resources().items() if one["Type"] == f"AWS::{kind}")


def container() -> Any:
    return properties("TaskDefinition")["ContainerDefinitions"][0]


def statements(role: str) -> list[Any]:
    return [one for policy in properties(role)["Policies"] for one in policy["PolicyDocument"]["Statement"]]


def dockerfile(pattern: str) -> str:
    found = re.search(pattern, (HOUSE / "Dockerfile").read_text(), re.MULTILINE)
    assert found, f"the Dockerfile has no {pattern}"
    return found[1]


def test_it_can_be_deployed_without_a_bucket_to_lay_it_in() -> None:
    assert len(TEXT.encode()) < 51_200  # CloudFormation quotas: a template in the request itself


def test_there_is_no_yaml_alias_for_cloudformation_has_none() -> None:
    assert not re.search(r"(?m)[:\-\[,]\s+[&*][a-z]", TEXT)


def test_every_value_in_the_containers_environment_is_one_that_the_settings_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = read(Handler="myapp.handlers:fetch").settings
    assert settings.keys() <= environment.KNOWN.keys()
    for name in settings:
        monkeypatch.setenv(name, settings[name])
    found, warnings = environment.load()
    assert warnings == []
    assert found.stop_timeout == int(container()["StopTimeout"])
    assert found.visibility_timeout == int(properties("Queue")["VisibilityTimeout"])
    assert found.window is not None


def test_the_stop_timeout_is_one_that_fargate_allows_whatever_is_given() -> None:
    rules = WHOLE["Parameters"]["StopTimeout"]
    assert rules["MinValue"] >= 2
    assert rules["MaxValue"] == 120


def test_the_containers_health_check_and_run_directory_are_the_images() -> None:
    check = container()["HealthCheck"]
    command = json.loads(dockerfile(r"^HEALTHCHECK .*CMD (\[.*\])"))
    assert check["Command"] == ["CMD", *command]
    times = [dockerfile(rf"--{name}=(\d+)") for name in ("interval", "timeout", "start-period", "retries")]
    assert [str(check[name]) for name in ("Interval", "Timeout", "StartPeriod", "Retries")] == times
    assert [one["ContainerPath"] for one in container()["MountPoints"]] == [dockerfile(r"^VOLUME (\S+)")]
    assert container()["ReadonlyRootFilesystem"] is True
    assert dockerfile(r"CONSUMER_RUN_DIR=(\S+)") == dockerfile(r"^VOLUME (\S+)")


def test_logs_never_make_the_container_wait() -> None:
    options = container()["LogConfiguration"]["Options"]
    assert options["mode"] == "non-blocking"
    assert re.fullmatch(r"\d+m", options["max-buffer-size"])


def test_secrets_come_from_the_secrets_manager_and_only_where_there_are_any() -> None:
    given = ("DatabaseUrlSecretArn", "arn:aws:secretsmanager:us-east-1:123456789012:secret:url-AbCdEf")
    secrets = properties("TaskDefinition", given)["ContainerDefinitions"][0]["Secrets"]
    assert secrets == [{"Name": "CONSUMER_DATABASE_URL", "ValueFrom": given[1]}]
    assert "Secrets" not in container()
    assert "secretsmanager" not in json.dumps(statements("ExecutionRole"))


def test_roles_may_do_what_the_container_does_and_nothing_else() -> None:
    allowed = {one["Sid"]: one["Action"] for one in statements("TaskRole")}
    assert allowed == {
        "Drain": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"],
        "DeadLetter": "sqs:SendMessage",
        "ProtectOneself": ["ecs:UpdateTaskProtection", "ecs:DescribeTasks"],
        "SeeTheService": "ecs:DescribeServices",
    }
    everywhere = [one for role in ("TaskRole", "ExecutionRole") for one in statements(role) if one["Resource"] == "*"]
    assert [one["Action"] for one in everywhere] == ["ecr:GetAuthorizationToken"]  # AWS knows no narrower one
    for role in ("TaskRole", "ExecutionRole"):
        assert "*" not in json.dumps([one["Action"] for one in statements(role)])


def test_the_time_limit_has_the_settings_default_and_its_bounds() -> None:
    rules, field = WHOLE["Parameters"]["TimeLimit"], Settings.model_fields["time_limit"]
    assert rules["Default"] == field.default
    assert rules["MinValue"] > 0
    assert [one.le for one in field.metadata if hasattr(one, "le")] == [rules["MaxValue"]]


def test_both_queues_are_encrypted_refuse_plain_http_and_outlive_the_stack() -> None:
    policy = properties("QueuePolicy")
    assert set(policy["Queues"]) == {"Queue", "DeadLetterQueue"}
    (only,) = policy["PolicyDocument"]["Statement"]
    assert only["Resource"] == "*"  # the queue that bears it: SQS takes no statement that names several
    for name in policy["Queues"]:
        assert properties(name)["SqsManagedSseEnabled"] is True
        assert WHOLE["Resources"][name]["DeletionPolicy"] == "RetainExceptOnCreate"


def test_a_dead_letter_is_kept_for_longer_than_a_message() -> None:
    assert properties("DeadLetterQueue")["MessageRetentionPeriod"] > properties("Queue")["MessageRetentionPeriod"]
    assert properties("Queue")["RedrivePolicy"]["maxReceiveCount"] == 50


def test_no_deployment_touches_a_drain() -> None:
    service, target = properties("Service"), properties("ScalableTarget")
    assert properties("Service", ("Image", "repo:1")).get("DesiredCount") is None
    assert service["DesiredCount"] == 0  # the very first, which has no image yet
    assert (target["MinCapacity"], int(target["MaxCapacity"])) == (0, read().most)
    assert service["AvailabilityZoneRebalancing"] == "DISABLED"
    assert service["DeploymentConfiguration"]["MaximumPercent"] >= 200
    assert service["DeploymentConfiguration"]["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}


@pytest.mark.parametrize(
    "policy", [one for one in read().policies if isinstance(one, StepPolicy)], ids=lambda p: p.name
)
def test_steps_have_no_gap_no_overlap_and_an_open_end(policy: StepPolicy) -> None:
    assert 1 <= len(policy.steps) <= 20
    assert all(left.upper == right.lower for left, right in pairwise(policy.steps))
    low, high = policy.steps[0].lower, policy.steps[-1].upper
    assert (low, high) in {(0, None), (None, 0)}


def test_the_steps_of_follow_never_give_less_than_is_needed_nor_much_more() -> None:
    follow = next(one for one in read().policies if isinstance(one, StepPolicy) and one.name == "follow")
    for need in range(1, 251):
        wanted = follow.wanted(need - 1, 0)
        assert wanted is not None
        assert need <= wanted <= 1.34 * need
    assert follow.wanted(10_000, 0) == 250 == WHOLE["Parameters"]["MaxContainers"]["MaxValue"]


OF_AWS = {"AWS/SQS": ["QueueName"], "AWS/ECS": ["ClusterName", "ServiceName"]}


@pytest.mark.parametrize("alarm", read().alarms, ids=lambda alarm: alarm.name)
def test_alarms_read_metrics_as_they_are_published(alarm: Any) -> None:
    assert alarm.missing == "notBreaching"  # the fleet is at zero for most of the day
    for query in alarm.queries:
        if query.metric is None:
            continue
        if query.metric.namespace == metrics.NAMESPACE:
            assert query.metric.statistic in READ_AS[query.metric.name]
            assert query.metric.dimensions == ((metrics.DIMENSION, "Queue.QueueName"),)
        else:
            assert [name for name, _ in query.metric.dimensions] == OF_AWS[query.metric.namespace]


def board() -> Any:
    return json.loads(properties("Dashboard")["DashboardBody"])


def shown() -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """Give each line of the dashboard's graphs: the metric, and how it is drawn."""
    for widget in board()["widgets"]:
        for line in widget["properties"].get("metrics", []):
            *names, last = line
            style = last if isinstance(last, dict) else {}
            yield names if style else line, {"stat": widget["properties"].get("stat"), **style}


def test_the_dashboard_is_json_and_its_widgets_lie_beside_one_another() -> None:
    taken: set[tuple[int, int]] = set()
    for one in board()["widgets"]:
        cells = {
            (x, y) for x in range(one["x"], one["x"] + one["width"]) for y in range(one["y"], one["y"] + one["height"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_a_stack_of_the_same_name_in_another_region_has_a_dashboard_of_its_own() -> None:
    """Dashboards are the whole account's; everything else with a name is a region's, or named by CloudFormation."""
    assert "${AWS::Region}" in WHOLE["Resources"]["Dashboard"]["Properties"]["DashboardName"].get("Fn::Sub", "")


def test_the_dashboard_shows_every_metric_as_it_is_published() -> None:
    ours = [(line[1], style["stat"]) for line, style in shown() if line[0] == metrics.NAMESPACE]
    assert {name for name, _ in ours} == READ_AS.keys()
    assert all(statistic in READ_AS[name] for name, statistic in ours)
    assert {tuple(line[2:]) for line, _ in shown() if line[0] == metrics.NAMESPACE} == {("Queue", "Queue.QueueName")}


def test_every_alarm_for_people_is_on_the_dashboard() -> None:
    alarms = {arn.removesuffix(".Arn") for arn in board()["widgets"][0]["properties"]["alarms"]}
    people = {
        name
        for name, one in resources(("AlarmEmail", "a@b.c")).items()
        if "Topic" in str(one.get("Properties", {}).get("AlarmActions"))
    }
    assert alarms == people
    assert len(people) == 6


QUERIES = {name: one["QueryString"] for name, one in of_type("Logs::QueryDefinition")} | {
    one["properties"]["title"]: one["properties"]["query"] for one in board()["widgets"] if one["type"] == "log"
}
WORDS = {"filter", "fields", "stats", "sort", "limit", "and", "or", "in", "by", "asc", "desc"}
OF_LOGS = {"event", "process", "container", "message_id", "attempt"}  # on every line of a delivery
every_query = pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)


@cache
def written() -> dict[str, set[str]]:
    """Give each event that our code logs, with the fields that it is given; `**facts` are those of the file's dicts."""
    found: dict[str, set[str]] = {}
    for path in (HOUSE / "consumer").rglob("*.py"):
        nodes = [*ast.walk(ast.parse(path.read_text()))]
        keys = [key for node in nodes if isinstance(node, ast.Dict) for key in node.keys]
        keys += [node.slice for node in nodes if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)]
        facts = {str(key.value) for key in keys if isinstance(key, ast.Constant)}
        for call in (node for node in nodes if isinstance(node, ast.Call)):
            match call.args:
                case [ast.Constant(value=str(event)), *_]:
                    given = found.setdefault(event, set())
                    for one in call.keywords:
                        given |= {one.arg} if one.arg else facts
    return found


@every_query
def test_log_queries_ask_for_events_that_are_logged(query: str) -> None:
    asked = re.findall(r"event(?: =| in) (\[[^]]*\]|\S+)", query)
    assert asked or "message_id =" in query
    assert set(re.findall(r"[a-z_]+", " ".join(asked))) <= written().keys()


@every_query
def test_log_queries_name_fields_that_are_written_with_these_events(query: str) -> None:
    events = set(re.findall(r"[\"']([a-z_]+)[\"']", query)) & written().keys()
    fields = set().union(*(written()[event] for event in events or {"delivered"}))
    aliases = set(re.findall(r"\bas (\w+)", query))
    bare = re.sub(r"SOURCE \S+|\"[^\"]*\"|'[^']*'|\bas \w+|@\w+|\w+(?=\()|\b\d+\b", " ", query)
    asked = set(re.findall(r"\w+", bare)) - WORDS - aliases
    assert asked
    assert asked <= fields | OF_LOGS | {metric.name for metric in metrics.ALL}


def test_ten_metrics_are_billed_and_no_more() -> None:
    assert len(metrics.ALL) == len({metric.name for metric in metrics.ALL}) == 10


def test_every_parameter_is_in_the_readme_with_its_default() -> None:
    rows = dict(re.findall(r"(?m)^\| `([A-Z]\w+)` \| (.*?) \|", (HOUSE / "ecs" / "README.md").read_text()))
    assert rows.keys() == WHOLE["Parameters"].keys()
    for name, rules in WHOLE["Parameters"].items():
        default = rules.get("Default", "required")
        assert rows[name] == (f"`{default}`" if default not in {"", "required"} else {"": "none"}.get(default, default))


def test_the_readme_names_every_alarm_and_counts_the_metrics_that_are_billed_for_them() -> None:
    text = (HOUSE / "ecs" / "README.md").read_text()
    billed = sum(query.metric is not None for alarm in read().alarms for query in alarm.queries)
    assert f"The alarms look at {billed} metrics" in text
    for alarm in read().alarms:
        assert f"`{alarm.name.removeprefix('consumer-')}`" in text


def test_the_readme_has_a_question_for_every_log_query() -> None:
    text = (HOUSE / "ecs" / "README.md").read_text()
    for _, query in of_type("Logs::QueryDefinition"):
        assert f"| `{query['Name'].rpartition('/')[2]}`" in text


def test_the_image_and_the_wheel_have_the_template() -> None:
    assert "COPY ecs/template.yaml ecs/" in (HOUSE / "Dockerfile").read_text()
    assert "!ecs/template.yaml" in (HOUSE / ".dockerignore").read_text()
    assert '"ecs/template.yaml" = "consumer/fleet/cloud/template.yaml"' in (HOUSE / "pyproject.toml").read_text()

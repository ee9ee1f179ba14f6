"""A plan's parameters, and that they are the template's."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from consumer import limits
from consumer.fleet.cloud.sizes import SIZES
from consumer.fleet.planning import bills, capacity
from consumer.fleet.planning.parameters import parameters
from consumer.fleet.planning.plan import Request, plan
from support.plans import HOUR, TOKYO, USUAL

if TYPE_CHECKING:
    from consumer.fleet.planning.workload import Workload

TEMPLATE = Path(__file__).parents[3] / "ecs" / "template.yaml"


def given(zone: str = "Asia/Tokyo", load: Workload = USUAL) -> dict[str, str]:
    return parameters(plan(Request(load, TOKYO)), zone)


def test_the_usual_day_is_deployed_as_it_was_planned() -> None:
    assert given() == {
        "Architecture": "ARM64",
        "Cpu": "256",
        "Memory": "1024",
        "Processes": "12",
        "Concurrency": "1",
        "OpenContainers": "2",
        "MaxContainers": "5",
        "OnDemandWeight": "1",
        "SpotWeight": "0",
        "AssignPublicIp": "ENABLED",
        "ExpectedSeconds": "165",
        "TimeLimit": "900",
        "TimeZone": "Asia/Tokyo",
        "OpenTime": "03:57",
        "FreeTime": "04:15",
        "Deadline": "09:00",
        "CloseTime": "09:30",
    }


def test_a_window_may_begin_and_end_at_midnight() -> None:
    found = given(load=replace(USUAL, opens=0.0, deadline=22.75 * HOUR))
    assert [found[name] for name in ("OpenTime", "FreeTime", "Deadline", "CloseTime")] == [
        "23:57", "00:15", "22:45", "23:15",
    ]  # fmt: skip


def test_containers_without_an_address_are_deployed_without() -> None:
    found = plan(Request(USUAL, replace(TOKYO, public_ip=False)))
    assert parameters(found, "UTC")["AssignPublicIp"] == "DISABLED"


class TestAgainstTheTemplate:
    text = TEMPLATE.read_text()

    def of(self, name: str, field: str) -> str:
        """Give a field of a parameter."""
        found = re.search(rf"^  {name}:\n(?:    .*\n)*?    {field}: (.*)\n", self.text, re.MULTILINE)
        assert found, f"the template has no {name} with {field}"
        return found[1]

    def test_every_parameter_of_a_plan_is_one_of_the_template_s(self) -> None:
        for name in given():
            assert self.of(name, "Type") in {"String", "Number"}

    def test_times_are_of_the_form_that_the_template_takes(self) -> None:
        found = given()
        for name in ("OpenTime", "FreeTime", "Deadline", "CloseTime"):
            assert re.fullmatch(self.of(name, "AllowedPattern").strip("'"), found[name])

    def test_the_bounds_are_the_template_s(self) -> None:
        assert int(self.of("MaxContainers", "MaxValue")) == capacity.MOST_CONTAINERS
        assert int(self.of("Processes", "MaxValue")) == limits.MOST_PROCESSES
        assert self.of("Cpu", "AllowedValues") == str(sorted({size.cpu for size in SIZES}))

    def test_as_many_metrics_are_billed_as_the_template_s_alarms_refer_to(self) -> None:
        blocks = re.split(r"^  (?=\w+:\n)", self.text, flags=re.MULTILINE)
        alarms = [block for block in blocks if "Type: AWS::CloudWatch::Alarm\n" in block]
        metrics = sum(len(re.findall(r"MetricStat:|^      MetricName:", alarm, re.MULTILINE)) for alarm in alarms)
        assert metrics == bills.ALARM_METRICS

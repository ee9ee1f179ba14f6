"""`consumer plan`: what a person reads, what a machine reads, and what is refused."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from consumer.cli import main
from consumer.fleet.cloud import resources, template
from consumer.fleet.planning.said import time_of_day

if TYPE_CHECKING:
    from pathlib import Path

USUAL = ["--messages", "2000", "--seconds", "30..300", "--from", "04:00", "--by", "09:00"]
TOKYO = ["--region", "ap-northeast-1", "--timezone", "Asia/Tokyo"]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command and give its exit code, what it printed and what it complained of."""

    def run(*more: str) -> tuple[int, str, str]:
        code = main(["plan", *USUAL, *more])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_a_plan_says_what_to_deploy_when_it_is_done_and_what_it_costs(said: Any) -> None:
    code, page, _ = said(*TOKYO)
    assert code == 0
    lines = page.splitlines()
    assert lines[0] == (
        "2,000 messages of 30 to 300 s, 165 on average, from 04:00 until 09:00 Asia/Tokyo: 91.7 hours of work"
    )
    assert "Recommended: 2 containers of 0.25 vCPU, 1 GB, 12 processes in each" in lines
    assert "  done      07:56 at the latest, in whatever order messages come, if they take 91.7 hours together" in lines
    assert "  bad days  up to 5 containers: 6,076 messages are in time" in lines
    assert "  at most   2.5 vCPU of the account's quota for Fargate, while one deploys" in lines
    assert "  uses      97% of the memory that is planned with: 847 of 870 MiB, which is 85% of 1,024" in lines
    assert any(line.startswith("  costs     $6.") and line.endswith("a month in ap-northeast-1") for line in lines)


def test_of_one_thing_it_is_said_that_it_is_one(said: Any) -> None:
    page = said("--messages", "1", "--processes", "1")[1]
    assert page.startswith("1 message of 30")
    assert "Recommended: 1 container of 0.25 vCPU, 0.5 GB, 1 process in it" in page


def test_a_fleet_for_a_tight_deadline_bears_at_least_what_it_is_planned_for(said: Any) -> None:
    page = said("--by", "04:07")[1]
    assert int(re.findall(r"containers: ([\d,]+) messages are in time", page)[0].replace(",", "")) >= 2000


def test_every_alternative_has_its_cost_and_its_end(said: Any) -> None:
    page = said()[1]
    for name in ("Fargate ARM, on demand", "Fargate x86, Spot", "two processes per container", "one process per",
                 "the same fleet until the deadline", "AWS Batch", "Lambda ARM"):  # fmt: skip
        line = next(line for line in page.splitlines() if line.startswith(name))
        assert "0" in line


def test_a_figure_says_whether_it_is_a_default_measured_or_a_price_of_some_day(said: Any, tmp_path: Path) -> None:
    page = said()[1]
    assert "message_mib      50.0  MiB   default: a guess" in page
    assert "what your handler takes is a guess until it is measured" in page
    assert "2026-09-11  AWS Price List, offer AmazonECS" in page
    path = tmp_path / "calibrated.json"
    path.write_text(json.dumps({"measured": "2026-11-20", "message_mib": 80, "message_cpu": 0.02}))
    page = said("--calibrated", str(path))[1]
    assert "message_mib      80.0  MiB   measured 2026-11-20" in page
    assert "a guess" not in page


def test_one_s_own_prices_count(said: Any, tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('[[price]]\nregions = ["*"]\ndate = 2027-01-01\nsource = "ours"\nsqs_request = 1.0\n')
    assert "2027-01-01  ours" in said("--prices", str(path))[1]


def test_where_a_function_is_cheaper_the_plan_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    main(["plan", *USUAL, "--messages", "20"])
    assert "you may not need this: Lambda costs $0.17 a month, this $" in capsys.readouterr().out
    main(["plan", *USUAL, "--messages", "600"])
    assert "you may not need this: beyond the free tier, where nothing else uses it" in capsys.readouterr().out
    main(["plan", *USUAL])
    assert "you may not need this" not in capsys.readouterr().out


def test_more_processes_than_were_measured_are_said_to_be_bold(said: Any) -> None:
    bold = "more than 16 processes in a container"
    assert bold in said("--processes", "40")[1]
    assert bold not in said()[1]


def test_no_more_is_planned_than_the_settings_take(said: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert said("--concurrency", "500")[0] == 0
    with pytest.raises(SystemExit):
        said("--concurrency", "501")
    assert "expected a whole number from 1 to 500; got '501'" in capsys.readouterr().err


def test_growth_shows_what_binds_first(said: Any) -> None:
    page = said("--growth")[1]
    assert any(line.startswith("2,000,000") for line in page.splitlines())
    assert "2,000,000" not in said()[1]
    lines = said("--growth", "--connections", "300")[1].splitlines()
    first = next(line for line in lines if line.startswith("2,000  "))
    assert first.endswith("connections (database): 83%")
    last = next(line for line in lines if line.startswith("2,000,000"))
    assert last.endswith("300 connections to the ledger's database are enough for 75")


def test_parameters_to_deploy_are_printed_as_a_shell_takes_them(said: Any) -> None:
    page = said(*TOKYO)[1]
    words = page.split("as parameters of ecs/template.yaml:")[1].replace("\\\n", " ").split()
    assert "Cpu=256" in words
    assert "TimeZone=Asia/Tokyo" in words
    assert all(word.count("=") == 1 for word in words)


def test_a_machine_reads_the_same_plan(said: Any) -> None:
    code, printed, _ = said(*TOKYO, "--growth", "--json")
    found = json.loads(printed)
    assert code == 0
    assert found["recommended"] == {
        "cpu": 256, "memory_mib": 1024, "processes": 12, "concurrency": 1, "containers": 2, "most_containers": 5,
    }  # fmt: skip
    assert found["workload"]["messages"] == 2000
    assert found["workload"]["timezone"] == "Asia/Tokyo"
    assert found["advice"] == "fleet"
    assert {one["key"] for one in found["offers"]} == {
        "fargate_arm", "fargate_arm_spot", "fargate_x86", "fargate_x86_spot", "two", "one", "fixed", "batch", "lambda",
    }  # fmt: skip
    assert found["offers"][0]["bill"].keys() == {"day", "month", "after_free"}
    assert found["offers"][0]["done_by"] == "07:56"
    assert found["bounds"][0]["key"] == "memory"
    assert [stage["messages"] for stage in found["growth"]] == [2000, 20_000, 200_000, 2_000_000]
    assert found["figures"]["process_mib"]["value"] == 13.5
    assert found["prices"]["fargate_arm_vcpu_hour"]["date"] == "2026-09-06"
    assert found["parameters"]["MaxContainers"] == "5"


def test_the_template_s_defaults_are_the_plan_for_the_standard_day(said: Any) -> None:
    planned = json.loads(said("--json")[1])["parameters"]
    defaults = resources.resolved(resources.text_of())[0]
    assert {name: defaults[name] for name in planned} == planned


@pytest.mark.parametrize(
    ("seconds", "limit"), [("30..300", 900), ("450", 900), ("451", 960), ("1200", 2400), ("1200..19801", 39_600)]
)
def test_a_run_may_take_twice_the_longest_and_a_plan_says_where_that_is_more_than_usual(
    said: Any, seconds: str, limit: int
) -> None:
    page = said("--seconds", seconds, "--by", "22:00")[1]
    assert f" TimeLimit={limit} " in page
    assert ("usually each is ended after 900" in page) is (limit != 900)


@pytest.mark.parametrize("by", ["04:10", "04:16", "22:00"])
def test_what_a_plan_says_can_be_deployed_however_short_or_long_its_window_is(said: Any, by: str) -> None:
    planned = json.loads(said("--seconds", "10", "--by", by, "--json")[1])["parameters"]
    assert template.read(**planned).settings["CONSUMER_DEADLINE"] == by


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["--parallel", "10"], "it takes 20 messages at once, and --parallel allows 10"),
        (["--by", "04:05"], "a message of 300 s does not fit into 5 minutes"),
        (["--processes", "2000"], "no container of Fargate's holds 2,000 processes"),
    ],
)
def test_what_is_impossible_ends_with_1_and_the_reason(said: Any, more: list[str], reason: str) -> None:
    code, printed, complaint = said(*more)
    assert (code, printed) == (1, "")
    assert complaint.startswith("consumer plan: ")
    assert reason in complaint


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["--region", "mars"], "--region: expected one of ap-northeast-1"),
        (["--prices", "/none"], "--prices: expected a file that can be read"),
        (["--calibrated", "/none"], "got /none: no such file"),
        (["--by", "04:00"], "--by: expected at most 18 hours after --from"),
        (["--by", "22:01"], "got --from 04:00 --by 22:01"),
    ],
)
def test_what_makes_no_sense_ends_with_64(said: Any, more: list[str], reason: str) -> None:
    code, printed, complaint = said(*more)
    assert (code, printed) == (64, "")
    assert reason in complaint


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (["--messages", "0"], "expected a whole number from 1 to 1,000,000,000; got '0'"),
        (["--messages", "many"], "got 'many'"),
        (["--seconds", "300..30"], "expected seconds as 30..300"),
        (["--seconds", "0"], "got '0'"),
        (["--seconds", "1..nan"], "got '1..nan'"),
        (["--seconds", "30..400..300"], "got '30..400..300'"),
        (["--seconds", "1..2..3..4"], "got '1..2..3..4'"),
        (["--seconds", "50000"], "at most 39600"),
        (["--by", "24:00"], "expected a time such as 09:00; got '24:00'"),
        (["--by", "9"], "got '9'"),
        (["--timezone", "Mars"], "expected a time zone such as UTC or Asia/Tokyo; got 'Mars'"),
        (["--timezone", "/etc/passwd"], "got '/etc/passwd'"),
    ],
)
def test_an_argument_that_cannot_be_read_is_named(
    capsys: pytest.CaptureFixture[str], more: list[str], reason: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["plan", *USUAL, *more])
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--seconds", "30..90..300"], "of 30 to 300 s, 90 on average, from"),
        (["--seconds", "60"], "of 60 s from"),
        (["--messages", "2,000"], "2,000 messages"),
        (["--from", "22:00", "--by", "3:00"], "from 22:00 until 03:00 UTC"),
    ],
)
def test_a_day_may_be_said_in_several_ways(said: Any, words: list[str], shown: str) -> None:
    assert shown in said(*words)[1]


@pytest.mark.parametrize(
    ("since", "shown"),
    [(0, "00:00"), (59, "00:01"), (60, "00:01"), (86_399, "00:00 +1 d"), (32_400, "09:00"), (200_000, "07:34 +2 d")],
)
def test_a_time_is_rounded_up_to_its_minute(since: float, shown: str) -> None:
    assert time_of_day(since) == shown

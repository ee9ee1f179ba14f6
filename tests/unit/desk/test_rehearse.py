"""`consumer rehearse`: what is asked, what is shown, and what is said where something is missing."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from consumer import cli
from consumer.fleet.cloud import intrinsics

if TYPE_CHECKING:
    from pathlib import Path

DAY = ["rehearse", "--messages", "400", "--seconds", "30..300", "--from", "04:00", "--by", "09:00"]


def rehearsed(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    assert cli.main([*DAY, "--json", *words]) == code
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_a_day_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(DAY) == 0
    shown = capsys.readouterr().out
    assert "made" in shown
    assert "400" in shown


def test_machines_read_each_day(capsys: pytest.CaptureFixture[str]) -> None:
    found = rehearsed(capsys, "--days", "2")
    promised = {
        "finish", "deadline_made", "container_seconds", "lower_bound_seconds", "peak_containers", "cost", "interrupted",
    }  # fmt: skip
    assert len(found["days"]) == 2
    assert all(promised <= day.keys() for day in found["days"])
    assert found["summary"]["made"] == 2
    assert not found["compared"]


def test_the_same_seed_is_the_same_day_and_another_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    one, same, other = (rehearsed(capsys, "--seed", seed) for seed in ("7", "7", "8"))
    assert one["days"] == same["days"]
    assert one["days"] != other["days"]


def test_many_processes_rehearse_the_same_days_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--days", "9", "--spread", "0.3")
    assert rehearsed(capsys, *asked, "--jobs", "1") == rehearsed(capsys, *asked, "--jobs", "2")


def test_rules_are_compared_on_the_same_days(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*DAY, "--policies", "--hard"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = (
        "ours", "fixed fleet", "backlog per task", "CPU", "one process per container", "3 x the messages",
        "2 x the seconds", "Spot interruption", "no metric", "deployment",
    )  # fmt: skip
    assert all(any(line.startswith(name) for line in lines) for name in names)


def test_a_day_that_cannot_be_made_is_told_with_what_would_make_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*DAY, "--set", "Processes=1"]) == 1
    shown = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    assert "containers are needed" in shown["told"]
    assert shown["done"].endswith("messages are left")
    assert shown["fleet"].endswith("1 messages in hand in each")


def test_a_day_may_bring_more_than_is_planned_for(capsys: pytest.CaptureFixture[str]) -> None:
    day = rehearsed(capsys, "--more", "2", "--longer", "3", "--set", "MaxContainers=20")["days"][0]
    planned = rehearsed(capsys)["days"][0]
    assert day["messages"] == 2 * planned["messages"]
    assert day["lower_bound_seconds"] == pytest.approx(6 * planned["lower_bound_seconds"], rel=0.1)


@pytest.mark.parametrize("word", ["0", "-1", "inf", "nan", "twice"])
def test_a_factor_is_a_number_above_zero(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([*DAY, "--more", word])
    assert "a number above 0" in capsys.readouterr().err


def test_a_slow_start_is_rehearsed(capsys: pytest.CaptureFixture[str]) -> None:
    usual, slow = (rehearsed(capsys, *words)["days"][0] for words in ((), ("--start", "600..900")))
    assert slow["finish_seconds"] > usual["finish_seconds"] + 300


def test_the_template_s_parameters_can_be_set(capsys: pytest.CaptureFixture[str]) -> None:
    found = rehearsed(capsys, "--set", "Processes=1", "--set", "MaxContainers=3", code=1)
    assert found["days"][0]["peak_containers"] == 3
    assert not found["days"][0]["deadline_made"]  # 400 x 165 s in three processes
    assert not found["days"][0]["feasible"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "TimeLimit=299"], "ours: TimeLimit: expected no run of more than its 299 s; got a run of 300 s"),
        (["--longer", "4"], "got a run of 1,200 s"),
        (["--set", "TimeLimit=500", "--hard"], "2 x the seconds: TimeLimit"),
        (["--from", "04:00", "--by", "23:00"], "--by: expected at most 18 hours after --from"),
        (["--set", "CloseTime=08:00"], "in this order"),
    ],
)
def test_a_day_that_would_not_be_so_when_deployed_is_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*DAY, *words]) == 64
    assert said in capsys.readouterr().err


def test_messages_that_were_measured_are_held_against_the_time_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    took = tmp_path / "took"
    took.write_text("60\n1000\n")
    assert cli.main([*DAY, "--trace", str(took)]) == 64
    assert "TimeLimit=1020 or more" in capsys.readouterr().err
    assert cli.main([*DAY, "--trace", str(took), "--set", "TimeLimit=1020", "--by", "20:00"]) == 0


def test_an_unknown_parameter_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*DAY, "--set", "Procesess=1"]) == 64
    assert "did you mean Processes" in capsys.readouterr().err


def test_a_day_that_was_can_be_rehearsed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    came, took = tmp_path / "came", tmp_path / "took"
    came.write_text("04:00:00\n2026-11-20T04:10:00\n\n04:20:00.5\n")
    took.write_text('60\n{"seconds": 61.5}\n')
    day = rehearsed(capsys, "--arrivals", str(came), "--trace", str(took))["days"][0]
    assert day["messages"] == 3
    assert day["finish"] > "04:21"


@pytest.mark.parametrize(("option", "text"), [("--arrivals", "04:00\nnoon\n"), ("--trace", "60\n-1\n")])
def test_a_line_that_cannot_be_read_is_named(
    option: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "lines"
    file.write_text(text)
    assert cli.main([*DAY, option, str(file)]) == 64
    assert "line 2" in capsys.readouterr().err


def test_faults_are_what_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    day = rehearsed(
        capsys, "--failing", "0.1", "--crashing", "0.05", "--spot-every", "20m", "--deploy-at", "05:00", "--gap", "15m"
    )["days"][0]
    assert day["failed"] > 0
    assert day["crashed"] > 0
    assert day["started"] > day["peak_containers"] / 2


@pytest.mark.parametrize(
    ("name", "words"),
    [("day.png", ["--days", "1"]), ("days.html", ["--days", "2"]), ("policies.png", ["--policies"])],
)
def test_it_is_drawn(name: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / name
    assert cli.main([*DAY, *words, "--plot", str(file)]) == 0
    assert str(file) in capsys.readouterr().err
    drawn = file.read_bytes()
    assert drawn.startswith(b"\x89PNG") or (b"<svg" in drawn and b"made" in drawn)


def test_only_what_can_be_drawn_is_promised(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*DAY, "--plot", "day.gif"]) == 64
    assert ".png or .html" in capsys.readouterr().err


@pytest.mark.parametrize(("missing", "words"), [("yaml", ["--json"]), ("matplotlib", ["--plot", "day.png"])])
def test_what_is_not_installed_is_said_with_what_to_install(
    missing: str, words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    intrinsics.loaded.cache_clear()
    monkeypatch.setitem(sys.modules, missing, None)
    assert cli.main([*DAY, *words]) == 64
    assert "consumer[plan]" in capsys.readouterr().err


def test_a_day_as_json_needs_no_drawing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("matplotlib", "rich"):
        monkeypatch.setitem(sys.modules, name, None)
    assert rehearsed(capsys)["days"][0]["deadline_made"]


def test_the_bar_is_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert cli.main(DAY) == 64
    assert "consumer[plan]" in capsys.readouterr().err

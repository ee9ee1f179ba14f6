"""`consumer rehearse`: what is asked, what is shown, and what is said where something is missing."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from consumer import cli
from consumer.desk.planning import samples
from consumer.fleet.cloud import intrinsics

if TYPE_CHECKING:
    from pathlib import Path

DAY = ["rehearse", "--messages", "400", "--seconds", "30..300", "--from", "04:00", "--by", "09:00"]


UNSEEN = ["--messages", "2000", "--more", "2", "--gap", "12h"]  # no alarm hears of what is left, and none scales


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
    assert shown["fleet"].endswith("1 message in hand in it")


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
        (["--spot-every", "20m"], "got SpotWeight=0. To do: add --set SpotWeight=1"),
        (["--deploy-at", "03:59"], "--deploy-at: expected a time from 04:00 until 09:00; got 03:59"),
        (["--deploy-at", "09:01"], "--deploy-at: expected a time from 04:00 until 09:00; got 09:01"),
        (["--trace", "/none"], "/none: expected seconds a line"),
        (["--arrivals", "/none"], "got no such file. To do: name another file"),
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
    took.write_text("40000\n")
    assert cli.main([*DAY, "--trace", str(took)]) == 64
    assert "no TimeLimit is over 39,600 s" in capsys.readouterr().err
    took.write_text("60\n1000\n")
    assert cli.main([*DAY, "--trace", str(took), "--set", "TimeLimit=1020", "--by", "20:00"]) == 0


def test_a_container_without_an_address_pays_for_none(capsys: pytest.CaptureFixture[str]) -> None:
    planned, rehearsals = [], []
    for private in (("--private",), ()):
        rehearsals.append(rehearsed(capsys, *private)["days"][0]["cost"])
        assert cli.main(["plan", *DAY[1:], *private, "--json"]) == 0
        planned.append(json.loads(capsys.readouterr().out)["offers"][0]["bill"]["day"])
    assert rehearsals[1] - rehearsals[0] == pytest.approx(planned[1] - planned[0], rel=0.05)


def test_what_is_set_beside_the_size_holds_for_one_process_per_container_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    spot = ("--set", "SpotWeight=1", "--set", "OnDemandWeight=0", "--set", "OnDemandBase=0", "--set", "Processes=6")
    usual, cheap = (rehearsed(capsys, "--policies", *words)["compared"] for words in ((), spot))
    alone = [found["one process per container"]["days"][0] for found in (usual, cheap)]
    assert alone[0]["container_seconds"] == alone[1]["container_seconds"]
    assert alone[1]["cost"] < alone[0]["cost"]


def test_a_template_that_cannot_be_read_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "template.yaml"
    file.write_bytes(b"\xff\xfe")
    assert cli.main([*DAY, "--template", str(file)]) == 64
    assert f"got {file}: 'utf-8' codec" in capsys.readouterr().err


def test_more_processes_than_a_container_holds_are_said_to_be_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*DAY, "--set", "Processes=500"]) == 0
    said = capsys.readouterr().err
    assert said == "ours: by the plan's figures 0.25 vCPU, 1 GB are enough for 12 processes, not for 500\n"
    assert cli.main([*DAY, "--policies"]) == 0
    assert not capsys.readouterr().err


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


@pytest.mark.parametrize("option", ["--over", "--gap", "--spot-every"])
def test_a_length_of_time_has_a_unit(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([*DAY, option, "20"])
    assert "such as 20s, 20m or 2h, at most a day; got '20'" in capsys.readouterr().err


def test_messages_come_at_given_times_or_one_by_one_but_not_both(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([*DAY, "--over", "2h", "--arrivals", "came"])
    assert "not allowed with" in capsys.readouterr().err


def test_seconds_are_measured_or_drawn_but_not_both(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([*DAY, "--trace", "took", "--sigma", "1"])
    assert "not allowed with" in capsys.readouterr().err


def test_a_deployment_may_come_after_midnight(capsys: pytest.CaptureFixture[str]) -> None:
    night = ("--from", "23:00", "--by", "04:00", "--messages", "2000")
    alone, deployed = (rehearsed(capsys, *night, *words)["days"][0] for words in ((), ("--deploy-at", "00:30")))
    assert deployed["started"] == 2 * alone["started"]


def test_messages_that_come_while_nobody_waits_for_them_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    came = tmp_path / "came"
    came.write_text("13:00\n13:30\n14:00\n")
    cli.main([*DAY, "--arrivals", str(came), "--timezone", "Asia/Tokyo"])
    remark = "3 of 3 messages come between 13:00 and 14:00 Asia/Tokyo, outside 04:00 to 09:00: is --timezone right?"
    assert remark in capsys.readouterr().err
    came.write_text("04:00\n05:00\n")
    cli.main([*DAY, "--arrivals", str(came)])
    assert "--timezone" not in capsys.readouterr().err


def test_a_warning_is_of_use_until_the_deadline_at_the_latest(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main([*DAY, "--days", "2"])
    assert "had told by 04:15." in capsys.readouterr().out
    cli.main([*DAY, "--by", "04:10", "--days", "2"])
    assert "had told by 04:10." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "text", "got"),
    [("--arrivals", "04:00\nnoon\n", "noon"), ("--trace", "60\n-1\n", "-1"), ("--trace", "60\nabc\n", "abc")],
)
def test_a_line_that_cannot_be_read_is_named(
    option: str, text: str, got: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "lines"
    file.write_text(text)
    assert cli.main([*DAY, option, str(file)]) == 64
    told = capsys.readouterr().err
    assert "line 2" in told
    assert f"got '{got}'" in told


def test_faults_are_what_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    day = rehearsed(
        capsys,
        "--failing",
        "0.1",
        "--crashing",
        "0.05",
        "--spot-every",
        "20m",
        "--deploy-at",
        "05:00",
        "--gap",
        "15m",
        "--set",
        "SpotWeight=1",
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


def test_a_drawing_has_a_row_for_each_rule_and_says_which_days_are_never_done(tmp_path: Path) -> None:
    file = tmp_path / "days.html"
    assert cli.main([*DAY, "--days", "2", "--set", "Processes=1", "--policies", "--plot", str(file)]) == 1
    drawn = file.read_text()
    for text in ("ours", "0 of 2 days made", "never", "04:00", "09:00", "10:00", "when the last message was done, UTC"):
        assert f"<!-- {text} -->" in drawn


def test_a_drawing_of_days_of_unlike_size_names_the_smallest_and_the_largest(tmp_path: Path) -> None:
    file = tmp_path / "day.html"
    assert cli.main([*DAY, "--hard", "--plot", str(file)]) in {0, 1}
    assert "<!-- a day of 400 to 1,200 messages, UTC -->" in file.read_text()


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
    said = capsys.readouterr().err
    assert "pip install '.[plan]'" in said
    assert said.count("consumer rehearse") == 1


def test_a_day_needs_no_drawing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert rehearsed(capsys)["days"][0]["deadline_made"]


@pytest.mark.parametrize(("days", "far"), [("1", "10%"), ("2", "50%"), ("2", "100%")])
def test_a_terminal_shows_how_far_it_is_and_then_only_the_answer(
    days: str, far: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert cli.main([*DAY, "--days", days]) == 0
    drawn = capsys.readouterr().err.split("\r")
    bar = "#" * (30 * int(far[:-1]) // 100)
    assert f"ours  {bar:30}  {far} \x1b[K" in drawn, "of a longer line before it, nothing is left"
    assert drawn[-1] == "\x1b[K"


def test_how_far_it_is_fits_into_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")
    assert cli.main([*DAY, "--days", "2"]) == 0
    drawn = capsys.readouterr().err.split("\r")
    assert max(len(shown.removesuffix("\x1b[K")) for shown in drawn) == 19


@pytest.mark.parametrize(
    ("name", "option"), [("Deadline", "--by"), ("TimeZone", "--timezone"), ("AssignPublicIp", "--private")]
)
def test_what_has_an_argument_of_its_own_is_no_parameter_to_set(
    name: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main([*DAY, "--set", f"{name}=05:00"])
    assert f"say {name} with {option}" in capsys.readouterr().err


def test_nobody_was_told_of_a_missed_day_is_said_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*DAY, *UNSEEN]) == 1
    shown = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert shown["told"].strip() == "nobody was"


def test_missed_and_impossible_days_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    def counts(*words: str) -> dict[str, str]:
        cli.main([*DAY, "--days", "2", *words])
        head, ours, *_ = (re.split(r"\s{2,}", line.strip()) for line in capsys.readouterr().out.splitlines())
        return dict(zip(head, ours[1:], strict=True))

    names = ("made", "missed", "impossible")
    assert [counts()[one] for one in names] == ["2", "0", "0"]
    impossible = counts("--set", "Processes=1")
    assert [impossible[one] for one in names] == ["0", "0", "2"]
    assert (impossible["told in time"], impossible["done"]) == ("2", "0")
    assert {impossible[one] for one in ("of least", "p99", "hours", "$ a day")} == {"-"}, "less work is no cheaper"
    missed = counts(*UNSEEN)
    assert [missed[one] for one in names] == ["0", "2", "0"]


def test_rules_that_are_impossible_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--messages", "200000", "--more", "0.001"]
    assert cli.main([*DAY, *words, "--policies"]) == 0
    shown = capsys.readouterr()
    assert "one process per container: left out, since it is impossible. " in shown.err
    assert "one process per container" not in shown.out
    assert "CPU at 60 %" in shown.out


def test_an_impossible_plan_is_an_answer_as_it_is_to_plan(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*DAY, "--messages", "900000000"]) == 1
    assert capsys.readouterr().err.startswith("consumer rehearse: ")


def test_stamps_with_an_offset_are_told_by_the_clock_in_the_zone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "came"
    file.write_text("2026-11-19T19:30:00Z\n2026-11-20T06:00:00+09:00\n2026-11-20T07:00:00\n08:00\n01:00\n")
    found = samples.arrivals(file, 4 * 3600, "Asia/Tokyo")
    assert [at / 3600 for at in found] == [4.5, 6, 7, 8, 25]
    assert rehearsed(capsys, "--arrivals", str(file), "--timezone", "Asia/Tokyo", code=1)["days"][0]["messages"] == 5


@pytest.mark.parametrize("stamps", ["2026-11-20T04:00\n2026-11-21T04:00\n", "2026-11-20T02:59\n2026-11-20T03:00\n"])
def test_stamps_of_more_than_one_day_are_refused(
    stamps: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "came"
    file.write_text(stamps)
    assert cli.main([*DAY, "--arrivals", str(file)]) == 64
    said = capsys.readouterr().err
    assert "the times of one day, which begins an hour before --from" in said
    assert "got 2026-11-20 0" in said


def test_a_container_s_log_is_a_trace_of_what_is_done(tmp_path: Path) -> None:
    file = tmp_path / "log"
    lines = [
        {"event": "process_ready"},
        {"event": "delivered", "outcome": "done", "cause": "returned", "seconds": 12.5},
        {"event": "delivered", "outcome": "done", "cause": "deduplicated", "seconds": 0.1},
        {"event": "delivered", "outcome": "retry", "cause": "raised", "seconds": 1.0},
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    assert list(samples.trace(file)) == [12.5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"60\n{'9' * 400}\n", "line 2"),
        (f"60\n{'[' * 100_000}\n", "line 2"),
        ("60\nNaN\n", "line 2"),
        ("60\ntrue\n", "line 2"),
        ("60\n{}\n", "line 2"),
        ("0\n0\n", "nothing but zeros"),
        ("\n", "got nothing"),
    ],
)
def test_a_trace_that_makes_no_sense_is_refused(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "trace"
    file.write_text(text)
    assert cli.main([*DAY, "--policies", "--trace", str(file)]) == 64
    told = capsys.readouterr().err
    assert said in told
    assert len(told) < 400


@pytest.mark.parametrize("word", ["nan", "inf", "-1", "1e200", "wide"])
def test_a_sigma_is_a_small_number(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([*DAY, "--sigma", word])
    assert "a number from 0 to 10" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--more", "--longer", "--over", "--gap", "--messages"])
def test_a_number_beyond_all_bounds_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([*DAY, option, "9" * 400])
    assert f"argument {option}: expected" in capsys.readouterr().err


def test_a_day_without_messages_is_a_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*DAY, "--messages", "1", "--spread", "1", "--days", "4", "--policies"]
    drawn = tmp_path / "days.png"
    assert cli.main([*words, "--plot", str(drawn)]) == 0
    assert "inf" not in capsys.readouterr().out
    assert drawn.stat().st_size
    assert cli.main([*words, "--json"]) == 0

    def refused(word: str) -> None:
        raise AssertionError(word)

    found = json.loads(capsys.readouterr().out, parse_constant=refused)
    assert 0 in {day["messages"] for day in found["days"]}


def test_a_folder_that_is_not_there_is_said_before_anything_is_rehearsed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*DAY, "--plot", str(tmp_path / "none" / "day.png")]) == 64
    shown = capsys.readouterr()
    assert "--plot: expected a folder to write into" in shown.err
    assert not shown.out

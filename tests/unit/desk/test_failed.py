from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from consumer import cli
from consumer.desk.deadletters import DeadLetters
from unit.desk.standin_sqs import URL, StandinSqs
from unit.doubles import refusal

if TYPE_CHECKING:
    from consumer.testing import FakeClock


@pytest.fixture
def sqs(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> StandinSqs:
    """A server that can move messages by itself."""
    made = StandinSqs(clock, sources=[URL])
    made.die("d1")
    made.die("d2")
    monkeypatch.setattr(DeadLetters, "open", lambda _: made.letters())
    return made


def moving(status: str, moved: int) -> dict[str, Any]:
    return {"Status": status, "ApproximateNumberOfMessagesMoved": moved}


def test_the_whole_queue_is_left_to_a_server_that_can(sqs: StandinSqs, capsys: pytest.CaptureFixture[str]) -> None:
    sqs.tasks = [moving("COMPLETED", 2)]
    assert cli.main(["failed", "retry", "--all"]) == 0
    assert capsys.readouterr().out == "sent back 2, of which the server 2\n"
    assert sqs.calls == ["move", "look"]


@pytest.mark.parametrize(
    "narrowed", [["--all", "--reason", "x"], ["--all", "--older-than", "0"], ["--all", "--dry-run"], ["d1"]]
)
def test_a_part_of_the_queue_is_not_left_to_the_server(sqs: StandinSqs, narrowed: list[str]) -> None:
    cli.main(["failed", "retry", *narrowed])
    assert "move" not in sqs.calls


def test_ctrl_c_stops_the_server_too(sqs: StandinSqs, capsys: pytest.CaptureFixture[str]) -> None:
    sqs.tasks = [moving("RUNNING", 1)]
    sqs.refusals["look"] = [None, KeyboardInterrupt()]
    assert cli.main(["failed", "retry", "--all", "--json"]) == 130
    printed = capsys.readouterr()
    assert json.loads(printed.out)["by_server"] == 12
    assert "the server was told to stop" in printed.err
    assert sqs.calls[-1] == "cancel"


def test_what_a_server_has_not_moved_is_sent_one_by_one(sqs: StandinSqs, capsys: pytest.CaptureFixture[str]) -> None:
    sqs.refusals["move"] = [refusal("AccessDenied")]
    assert cli.main(["failed", "retry", "--all"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "sent back 2\n"
    assert "AccessDenied" in printed.err
    assert sqs.dead == {}


def test_a_queue_that_stops_answering_is_told_with_what_was_done(
    sqs: StandinSqs, capsys: pytest.CaptureFixture[str]
) -> None:
    sqs.refusals["receive"] = [None, refusal("ServiceUnavailable")]
    assert cli.main(["failed", "remove", "--all"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "removed 2\n"
    assert "the dead-letter queue does not answer: ServiceUnavailable" in printed.err


def test_what_could_not_be_given_back_is_said_to_be_hidden(sqs: StandinSqs, capsys: pytest.CaptureFixture[str]) -> None:
    sqs.refusals["change"] = [refusal("ServiceUnavailable")]
    assert cli.main(["failed", "list"]) == 0
    assert "2 messages stay hidden for up to 60 s" in capsys.readouterr().err


def test_what_a_terminal_would_obey_is_not_printed(sqs: StandinSqs, capsys: pytest.CaptureFixture[str]) -> None:
    said = json.dumps({"reason": "red \x1b[31m\nnext", "error": "E"})
    sqs.die("d3", {"ConsumerReject": {"DataType": "String", "StringValue": said}})
    assert cli.main(["failed", "list"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert len(out.splitlines()) == 5


def test_the_line_breaks_of_an_error_s_text_are_spaces(sqs: StandinSqs, capsys: pytest.CaptureFixture[str]) -> None:
    said = json.dumps({"reason": "failed once", "error": "ValueError", "text": "no order:\n\tno number\x1b"})
    sqs.die("d3", {"ConsumerReject": {"DataType": "String", "StringValue": said}})
    assert cli.main(["failed", "show", "d3"]) == 0
    assert "no order:  no number\N{REPLACEMENT CHARACTER}\n" in capsys.readouterr().out


@pytest.mark.parametrize("chosen", [["--all"], ["d1"], ["--all", "--reason", "x"]])
def test_where_the_ledger_s_database_is_none_of_ours_nothing_is_begun(
    sqs: StandinSqs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], chosen: list[str]
) -> None:
    monkeypatch.setenv("CONSUMER_DATABASE_URL", "mysql://u:secret@db/orders")
    assert cli.main(["failed", "retry", *chosen]) == 64
    said = capsys.readouterr().err
    assert "CONSUMER_DATABASE_URL: expected a URL that begins with postgresql:// or sqlite:///; got mysql:" in said
    assert not sqs.calls
    assert len(sqs.dead) == 2
    assert cli.main(["failed", "list"]) == 0, "it asks no ledger"


@pytest.mark.parametrize(
    "arguments", [["list", "--older-than", "1w"], ["list", "--limit", "0"], ["retry", "--rate", "0"]]
)
def test_a_wrong_number_is_an_error_for_people(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["failed", *arguments])
    assert "expected " in capsys.readouterr().err

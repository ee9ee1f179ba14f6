from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING, Any

import pytest

from consumer.clock import Clock
from consumer.container import estimate
from consumer.container.estimate import Estimate
from consumer.desk import resume, status
from consumer.message import client
from consumer.process import quiet
from consumer.process.pulse import Pulse, path_of
from unit.doubles import refusal

if TYPE_CHECKING:
    from pathlib import Path


class FakeSqs:
    """Answers with a queue's counts, or refuses."""

    error: Exception | None = None

    def get_queue_url(self, **_: Any) -> dict[str, str]:
        return {"QueueUrl": "https://host/1/orders"}

    def get_queue_attributes(self, **_: Any) -> dict[str, dict[str, str]]:
        if self.error:
            raise self.error
        prefix = "ApproximateNumberOfMessages"
        return {"Attributes": {prefix: "7", prefix + "NotVisible": "2", prefix + "Delayed": "1"}}


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeSqs:
    made = FakeSqs()
    monkeypatch.setattr(client, "hurried", lambda _: made)
    monkeypatch.setenv("CONSUMER_RUN_DIR", str(tmp_path))
    monkeypatch.setenv("CONSUMER_QUEUE_URL", "orders")
    return made


def live(folder: Path, name: str = "worker_00") -> Pulse:
    pulse = Pulse(folder, name, lambda: 1_700_000_000.0)
    pulse.hold("k", message_id="m1", receipt_handle="h", attempt=2, since=1_700_000_000.0, lease_until=1.0)
    pulse.write(state="busy", handled=12, uss_mib=17.6)
    return pulse


@pytest.mark.usefixtures("sqs")
def test_machines_are_told_what_the_contract_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live(tmp_path)
    assert status.main(Namespace(json=True)) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["queue"] == {"visible": 7, "in_flight": 2, "delayed": 1}
    assert found["container"]
    assert found["quiet"] is False
    (process,) = found["processes"]
    assert (process["name"], process["state"], process["handled"]) == ("worker_00", "busy", 12)
    assert {"pid", "rss_mib", "started"} <= process.keys()
    assert process["in_hand"] == [{"message_id": "m1", "attempt": 2, "since": 1_700_000_000.0}]


@pytest.mark.usefixtures("sqs")
def test_people_are_shown_processes_and_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live(tmp_path)
    assert status.main(Namespace(json=False)) == 0
    out = capsys.readouterr().out
    assert "worker_00" in out
    assert "busy" in out
    assert "m1 (" in out
    assert "queue: 7 visible, 2 in flight, 1 delayed" in out


@pytest.mark.usefixtures("sqs")
def test_a_quiet_container_is_shown_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live(tmp_path)
    quiet.begin(tmp_path)
    assert status.main(Namespace(json=True)) == 0
    assert json.loads(capsys.readouterr().out)["quiet"] is True
    assert status.main(Namespace(json=False)) == 0
    assert "quiet: no more messages are taken until `consumer resume`" in capsys.readouterr().out


@pytest.mark.usefixtures("sqs")
def test_why_a_process_receives_nothing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    why = "the ledger's database is away: OperationalError: connection refused"
    live(tmp_path).write(trouble=why)
    assert status.main(Namespace(json=False)) == 0
    assert f"worker_00: {why}\n" in capsys.readouterr().out
    assert status.main(Namespace(json=True)) == 0
    assert json.loads(capsys.readouterr().out)["processes"][0]["trouble"] == why


@pytest.mark.usefixtures("sqs")
def test_a_file_that_is_no_estimate_is_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live(tmp_path)
    (tmp_path / "estimate").write_text("[1]")
    assert status.main(Namespace(json=False)) == 0
    assert "deadline" not in capsys.readouterr().out


@pytest.mark.usefixtures("sqs")
def test_a_life_that_is_over_is_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pulse = live(tmp_path)
    pulse.path.rename(path_of(tmp_path, {**pulse.facts, "start_ticks": 7}))
    assert status.main(Namespace(json=False)) == 1
    assert capsys.readouterr().out.startswith("no process is running here")


def test_a_queue_that_does_not_answer_is_told_on_stderr(
    sqs: FakeSqs, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    live(tmp_path)
    sqs.error = refusal("AWS.SimpleQueueService.NonExistentQueue")
    assert status.main(Namespace(json=True)) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["queue"] is None
    assert "expected its counts; got NonExistentQueue" in printed.err
    monkeypatch.delenv("CONSUMER_QUEUE_URL")
    assert status.main(Namespace(json=True)) == 1
    assert "CONSUMER_QUEUE_URL: expected" in capsys.readouterr().err


@pytest.mark.usefixtures("sqs")
def test_why_the_platform_has_a_container_take_no_more_is_shown_and_resume_does_not_end_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    live(tmp_path)
    quiet.begin(tmp_path)
    quiet.begin(tmp_path, quiet.PLATFORM, "consumer:8 is deployed")
    assert resume.main(Namespace()) == 1
    assert "the platform is to take this container: consumer:8 is deployed" in capsys.readouterr().err
    assert status.main(Namespace(json=True)) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["quiet"], found["quiet_reasons"]) == (True, {"platform": "consumer:8 is deployed"})
    assert status.main(Namespace(json=False)) == 0
    assert "the platform is to take this container: consumer:8 is deployed" in capsys.readouterr().out
    quiet.end(tmp_path, quiet.PLATFORM)
    assert resume.main(Namespace()) == 0


@pytest.mark.parametrize(
    ("facts", "says", "needs"),
    [
        ({}, "on track, empty at about 07:42, 78 min before it", "4 containers (64 processes)"),
        (
            {"verdict": "late", "slack_seconds": -1200, "empty_at": 1_700_036_400.0, "needed_containers": 1},
            "late, empty at about 09:20, 20 min after it",
            "1 container (64 processes)",
        ),
        ({"verdict": "unknown", "slack_seconds": None, "empty_at": None}, "unknown", "4 containers (64 processes)"),
    ],
)
@pytest.mark.usefixtures("sqs")
def test_what_the_deadline_needs_is_shown_while_it_is_fresh(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    facts: dict[str, Any],
    says: str,
    needs: str,
) -> None:
    live(tmp_path)
    monkeypatch.setattr(Clock, "time", lambda _: 1_700_030_000.0)
    expected: dict[str, Any] = {
        "at": 1_699_999_900.0, "verdict": "on track", "deadline": 1_700_035_200.0, "timezone": "Europe/Paris",
        "empty_at": 1_700_030_520.0, "slack_seconds": 4680, "backlog": 700, "seconds_per_message": 160.0,
        "needed_containers": 4, "needed_processes": 64, "desired_containers": 5,
    }  # fmt: skip
    estimate.write(tmp_path, Estimate(**{**expected, **facts}))
    assert status.main(Namespace(json=False)) == 0
    assert "deadline" not in capsys.readouterr().out, "it is a day old"
    estimate.write(tmp_path, Estimate(**{**expected, **facts, "at": 1_700_029_950.0}))
    assert status.main(Namespace(json=False)) == 0
    assert f"deadline 09:00 Europe/Paris: {says}; {needs} needed, 5 wanted\n" in capsys.readouterr().out
    assert status.main(Namespace(json=True)) == 0
    assert json.loads(capsys.readouterr().out)["estimate"]["needed_processes"] == 64

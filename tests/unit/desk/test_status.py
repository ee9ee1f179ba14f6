from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING, Any

import pytest

from consumer.desk import status
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

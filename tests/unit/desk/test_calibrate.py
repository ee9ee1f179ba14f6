from __future__ import annotations

import os
from argparse import Namespace
from typing import TYPE_CHECKING, Any

import pytest

from consumer.cli import main
from consumer.desk.planning import calibrate
from consumer.desk.planning.calibrate import Watched, watch
from consumer.process import memory, offspring
from consumer.process.memory import Memory
from consumer.process.pulse import Pulse
from consumer.testing import FakeClock

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pulse(tmp_path: Path) -> Pulse:
    """One process of a container: this test's own."""
    made = Pulse(tmp_path, "worker_00", lambda: 1_700_000_000.0)
    made.write(state="idle")
    return made


class Working(FakeClock):
    """Time in which a process takes so many messages, second by second."""

    def __init__(self, pulse: Pulse, hands: list[int]) -> None:
        super().__init__()
        self._pulse, self._hands = pulse, hands

    def block(self, seconds: float) -> None:
        super().block(seconds)
        hand = self._hands.pop(0)
        self._pulse.facts["runs"] += 1
        self._pulse.write(in_hand={str(number): {} for number in range(hand)})


def watched(monkeypatch: pytest.MonkeyPatch, pulse: Pulse, hands: list[int], mib: dict[int, float]) -> Watched:
    """Watch a process that holds so many MiB with so many messages in hand, and uses half a CPU while it has any."""
    found, used = Watched(), [0.0]

    def measure(_: int) -> Memory:
        own = mib[len(pulse.facts["in_hand"])]
        return Memory(own, own + 5, own + 40)

    def cpu(_: int, **__: bool) -> float:
        used[0] += 0.5 * bool(pulse.facts["in_hand"])
        return used[0]

    monkeypatch.setattr(memory, "measure", measure)
    monkeypatch.setattr(offspring, "family", lambda pid: [pid])
    monkeypatch.setattr(calibrate, "cpu", cpu)
    watch(found, pulse.path.parent, len(hands), Working(pulse, hands))
    return found


def test_a_message_takes_what_a_process_holds_more_while_it_is_in_hand(
    pulse: Pulse, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = watched(monkeypatch, pulse, [0, 1, 2, 0], {0: 10.0, 1: 34.0, 2: 50.0})
    assert found.figures() == {
        "process_mib": 10.0, "alone_mib": 50.0, "message_mib": 24.0,
        "message_cpu": pytest.approx((1.0 - 4 * 0.0075) / 3, abs=1e-5),
    }  # fmt: skip


def test_what_has_not_been_seen_is_left_out_and_said(pulse: Pulse, monkeypatch: pytest.MonkeyPatch) -> None:
    found = watched(monkeypatch, pulse, [0, 0], {0: 10.0})
    assert found.figures().keys() == {"process_mib", "alone_mib"}
    seen, beside, messages = found.remarks()
    assert seen == "seen: 1 processes, 2 runs that succeeded, in 2 s; watch longer for figures of at least 20"
    assert "container_mib and container_cpu are left out" in beside
    assert "message_mib and message_cpu are left out" in messages


def test_what_is_there_besides_the_processes_counts_with_what_they_share(
    pulse: Pulse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "lock").write_text(f"{os.getppid()}\n")
    monkeypatch.setattr(offspring, "children", lambda _: {os.getpid(), 1})
    found = watched(monkeypatch, pulse, [0, 0], {0: 10.0})
    assert found.figures()["container_mib"] == 5 + 2 * 15, "shared by the process; PID 1 and one beside it"


def test_where_no_container_runs_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONSUMER_RUN_DIR", str(tmp_path))
    assert calibrate.main(Namespace(seconds=1.0)) == 1
    shown: Any = capsys.readouterr()
    assert not shown.out
    assert "expected a running container's" in shown.err


@pytest.mark.parametrize("word", ["0", "-5", "nan", "inf", "90000", "long"])
def test_it_is_watched_for_a_while_that_ends(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["calibrate", "--seconds", word])
    assert f"expected seconds, more than 0 and at most a day's; got '{word}'" in capsys.readouterr().err

"""What PID 1 says of a process's end, and what it takes it for."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any, cast

import pytest

from consumer.container import ending
from consumer.container.container import Container
from consumer.container.crashloop import ROW
from consumer.container.lives import Lives
from consumer.fleet.metrics import ABNORMAL
from consumer.process.stop import Leaving
from consumer.testing import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

DEAD = 2**22 - 1  # no process has this pid
REFUSED = Leaving.REFUSED.value << 8  # a status, as waitpid gives it


class Journal:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.counted: list[object] = []

    def warning(self, text: str, counts: object = None) -> None:
        self.lines.append(text)
        self.counted += [counts] if counts else []

    error = warning


class Scene:
    def __init__(self, folder: Path) -> None:
        self.folder, self.journal, self.clock = folder, Journal(), FakeClock()
        facts: dict[str, Any] = {"stdout": None, "journal": self.journal, "forks": True, "kept": frozenset()}
        self.container = Container(lives=Lives(folder, self.clock), **cast("Any", facts))

    def life(self, *ids: str, last_receive: float | None = 3.0) -> Path:
        path = self.folder / f"worker_00.{DEAD}.None.json"
        in_hand = {one: {"message_id": one, "lease_until": self.clock.time() + 60} for one in ids}
        about = {"name": "worker_00", "pid": DEAD, "start_ticks": None}
        path.write_text(json.dumps({**about, "last_receive": last_receive, "in_hand": in_hand}))
        return path

    def end(self, status: int, *, told: bool = False) -> bool:
        return self.container.ended("worker_00", DEAD, status, told=told)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.mark.parametrize("given_back", [False, True])
def test_a_death_with_messages_in_hand_is_no_crash_loop_though_the_agent_was_quicker(
    scene: Scene, *, given_back: bool
) -> None:
    for _ in range(ROW):
        path = scene.life("m")
        if given_back:
            ending.leave_in_hand(path, json.loads(path.read_text()), {})
        assert not scene.end(REFUSED)
    assert all(line.endswith("with messages in hand") for line in scene.journal.lines)
    assert len(scene.journal.lines) == ROW


def test_lives_in_a_row_that_could_not_consume_end_the_container(scene: Scene) -> None:
    verdicts = []
    for _ in range(ROW):
        scene.life(last_receive=None)
        verdicts.append(scene.end(3 << 8))
    assert verdicts == [False] * (ROW - 1) + [True]
    assert scene.container.code == 3


@pytest.mark.parametrize(
    ("ids", "told", "says"),
    [
        ((), False, "killed by SIGKILL; perhaps out of memory?"),
        ((), True, "killed by SIGKILL"),
        (("m",), False, "killed by SIGKILL, with messages in hand"),
        (("m",), True, "killed by SIGKILL, with messages in hand"),
    ],
)
def test_a_sigkill_is_taken_for_the_kernel_s_only_where_nobody_knows_better(
    scene: Scene, ids: tuple[str, ...], says: str, *, told: bool
) -> None:
    scene.life(*ids)
    scene.end(signal.SIGKILL, told=told)
    assert scene.journal.lines == [f"worker_00 (pid {DEAD}) ended: {says}"]


def test_of_a_process_that_the_agent_has_killed_between_messages_nothing_is_guessed(scene: Scene) -> None:
    ending.leave_reason(scene.life(), "its sign of life has stood still for 46 s", suspects=True)
    scene.end(signal.SIGKILL)
    assert scene.journal.lines == [f"worker_00 (pid {DEAD}) ended: killed by SIGKILL"]


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        (signal.SIGKILL, True),
        (signal.SIGSEGV, True),
        (1 << 8, True),
        *((one.value << 8, one.value >= 20) for one in Leaving),  # as the log query `leavings` says to people
    ],
)
def test_a_process_that_dies_or_leaves_by_a_fault_counts_once_as_an_abnormal_leaving(
    scene: Scene, status: int, *, counts: bool
) -> None:
    scene.life()
    scene.end(status)
    assert scene.journal.counted == [{ABNORMAL: 1}] * counts
    assert len(scene.journal.lines) == counts


def test_a_handler_that_hangs_is_counted_and_is_no_crash_loop(scene: Scene) -> None:
    for _ in range(ROW):
        scene.life(last_receive=None)
        assert not scene.end(Leaving.HUNG.value << 8)
    assert scene.journal.counted == [{ABNORMAL: 1}] * ROW


def test_a_death_of_which_no_word_can_be_left_is_judged_and_swept_all_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "write", lambda *_: 1)
    kept = scene.life("m")
    stale = scene.folder / f"worker_01.{DEAD}.7.json"
    stale.write_text("{}")
    scene.end(REFUSED)
    assert kept.exists()
    assert not stale.exists()
    assert "not told how worker_00" in scene.journal.lines[-1]

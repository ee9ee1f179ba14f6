from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from consumer.container import ending
from consumer.container.lives import Lives
from consumer.process import pulse
from consumer.testing import FakeClock

if TYPE_CHECKING:
    from pathlib import Path

DEAD = 2**22 - 1  # no process has this pid
ABOUT = {"name": "worker_00", "pid": str(DEAD), "start_ticks": "7"}


@pytest.fixture
def lives(tmp_path: Path) -> Lives:
    return Lives(tmp_path, FakeClock())


def write(folder: Path, name: str, **facts: object) -> Path:
    words = dict(zip(("name", "pid", "start_ticks"), name.split(".")[:3], strict=False))
    path = folder / name
    path.write_text(json.dumps({**words, **facts}))
    return path


def under_lease(seconds: float) -> dict[str, object]:
    return {"m": {"lease_until": FakeClock().time() + seconds}}


def test_a_dead_life_with_nothing_in_hand_is_swept(lives: Lives, tmp_path: Path) -> None:
    path = write(tmp_path, f"worker_00.{DEAD}.7.json", in_hand={})
    lives.sweep()
    assert not path.exists()


def test_a_dead_life_stays_until_its_last_lease_is_over(lives: Lives, tmp_path: Path) -> None:
    kept = write(tmp_path, f"worker_00.{DEAD}.7.json", in_hand={**under_lease(-1), "n": {"lease_until": 1e12}})
    lapsed = write(tmp_path, f"worker_01.{DEAD}.7.json", in_hand=under_lease(-1))
    lives.sweep()
    assert kept.exists()
    assert not lapsed.exists()


def test_a_living_process_s_file_is_never_swept_whatever_it_says(lives: Lives, tmp_path: Path) -> None:
    path = write(tmp_path, f"worker_00.{os.getpid()}.{pulse.started(os.getpid())}.json", in_hand={})
    lives.sweep()
    assert path.exists()


def test_a_pid_that_has_come_round_again_does_not_keep_an_old_file(lives: Lives, tmp_path: Path) -> None:
    path = write(tmp_path, f"worker_00.{os.getpid()}.7.json", in_hand={})
    lives.sweep()
    assert not path.exists()


def born(lives: Lives, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a process started, which has ended since."""
    monkeypatch.setattr(pulse, "started", lambda _: 7)
    lives.born(DEAD)
    monkeypatch.undo()


def test_a_life_that_has_ended_and_was_not_judged_is_not_swept_with_another_one(
    lives: Lives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    born(lives, monkeypatch)
    path = write(tmp_path, f"worker_00.{DEAD}.7.json", last_receive=3.0)
    lives.sweep()
    assert lives.ended("worker_00", DEAD) == {**ABOUT, "last_receive": 3.0}
    lives.sweep()
    assert not path.exists()


def test_the_agent_s_word_of_its_kill_is_among_the_last_words_and_swept_with_them(
    lives: Lives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    born(lives, monkeypatch)
    ending.leave_reason(write(tmp_path, f"worker_00.{DEAD}.7.json", in_hand={}), "it is frozen", suspects=True)
    assert lives.ended("worker_00", DEAD) == {**ABOUT, "in_hand": {}, "killed": "it is frozen", "suspects": True}
    lives.sweep()
    assert not list(tmp_path.iterdir())


def test_a_life_without_a_file_has_no_last_words(lives: Lives, tmp_path: Path) -> None:
    write(tmp_path, f"worker_00.{DEAD}.6.json", last_receive=3.0)  # an earlier life's, with the same pid
    assert lives.ended("worker_00", DEAD) == {}


def test_half_written_files_of_dead_lives_are_swept_and_nobody_else_s(lives: Lives, tmp_path: Path) -> None:
    half = tmp_path / f"worker_00.{DEAD}.7.new"
    half.write_text('{"in_h')
    torn = tmp_path / f"worker_01.{DEAD}.7.json"
    torn.write_text('{"in_h')
    foreign = write(tmp_path, "some.other.file.json")
    lives.sweep()
    assert not half.exists()
    assert not torn.exists()
    assert foreign.exists()


@pytest.mark.parametrize(
    "text", ["[1]", '{"in_hand": [1]}', f'{{"name": "x", "pid": {DEAD}, "start_ticks": 7, "in_hand": {{"m": 1}}}}']
)
def test_a_file_that_is_no_sign_of_life_keeps_no_container_from_starting(
    lives: Lives, tmp_path: Path, text: str
) -> None:
    (tmp_path / f"x.{DEAD}.7.json").write_text(text)
    kept = write(tmp_path, f"y.{DEAD}.7.json", in_hand=under_lease(60))
    lives.sweep()
    assert kept.exists()

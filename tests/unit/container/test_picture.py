from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from consumer.container.picture import Picture
from consumer.process import pulse

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def sign(words: str, beat: int) -> str:
    name, pid, ticks = words.split(".")
    return json.dumps({"name": name, "pid": int(pid), "start_ticks": int(ticks), "in_hand": {}, "beat": beat})


def living(picture: Picture) -> list[dict[str, Any]]:
    picture.look()
    return picture.living


def test_only_lives_that_are_going_on_are_seen_and_a_change_is_seen_at_once(tmp_path: Path) -> None:
    pid, ticks = os.getpid(), pulse.started(os.getpid())
    picture = Picture(tmp_path)
    for name in (
        f"worker_00.{pid}.{ticks}",
        f"worker_01.{pid}.7",
        f"worker_02.{2**22 - 1}.7",
    ):
        (tmp_path / f"{name}.json").write_text(sign(name, 1))
    for name in ("some.other.file", "x", f"other.{pid}.{ticks}"):
        (tmp_path / f"{name}.json").write_text("{}")
    (tmp_path / "lock").touch()
    (tmp_path / f"worker_03.{pid}.{ticks}.end").write_text("{}")
    assert [(life["name"], life["beat"]) for life in living(picture)] == [("worker_00", 1)]
    beside = tmp_path / "new"
    beside.write_text(sign(f"worker_00.{pid}.{ticks}", 2))
    beside.rename(tmp_path / f"worker_00.{pid}.{ticks}.json")
    assert [life["beat"] for life in living(picture)] == [2]
    assert list(pulse.lives(tmp_path, over=True)) == [
        tmp_path / f"worker_01.{pid}.7.json",
        tmp_path / f"worker_02.{2**22 - 1}.7.json",
    ]


def test_a_file_that_has_not_changed_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"worker_00.{os.getpid()}.{pulse.started(os.getpid())}.json"
    path.write_text("{}")
    reads: list[Path] = []

    def read(path: Path) -> dict[str, int]:
        reads.append(path)
        return {"beat": 1}

    monkeypatch.setattr(pulse, "life", read)
    picture = Picture(tmp_path)
    assert living(picture) == living(picture) == [{"beat": 1}]
    assert reads == [path]
    path.unlink()
    assert living(picture) == []


def test_a_run_directory_that_is_gone_shows_nobody(tmp_path: Path) -> None:
    assert living(Picture(tmp_path / "gone")) == []
    assert list(pulse.lives(tmp_path / "gone", over=True)) == []

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from consumer.container.picture import Picture
from consumer.process import pulse

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_only_lives_that_are_going_on_are_seen_and_a_change_is_seen_at_once(tmp_path: Path) -> None:
    pid, ticks = os.getpid(), pulse.started(os.getpid())
    picture = Picture(tmp_path)
    for name in (
        f"worker_00.{pid}.{ticks}",
        f"worker_01.{pid}.7",
        f"worker_02.{2**22 - 1}.7",
        "some.other.file",
        "x",
    ):
        (tmp_path / f"{name}.json").write_text(json.dumps({"name": name, "beat": 1}))
    (tmp_path / "lock").touch()
    (tmp_path / f"worker_03.{pid}.{ticks}.end").write_text("{}")
    assert [(life["name"].split(".")[0], life["beat"]) for life in picture.living()] == [("worker_00", 1)]
    beside = tmp_path / "new"
    beside.write_text(json.dumps({"beat": 2}))
    beside.rename(tmp_path / f"worker_00.{pid}.{ticks}.json")
    assert picture.living() == [{"beat": 2}]


def test_a_file_that_has_not_changed_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"worker_00.{os.getpid()}.{pulse.started(os.getpid())}.json"
    path.write_text("{}")
    reads: list[Path] = []

    def read(path: Path) -> dict[str, int]:
        reads.append(path)
        return {"beat": 1}

    monkeypatch.setattr(pulse, "read", read)
    picture = Picture(tmp_path)
    assert picture.living() == picture.living() == [{"beat": 1}]
    assert reads == [path]
    path.unlink()
    assert picture.living() == []

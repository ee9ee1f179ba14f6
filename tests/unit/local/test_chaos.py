from __future__ import annotations

import json
import os
import sqlite3
from typing import TYPE_CHECKING

import pytest

from consumer.local import chaos
from consumer.local.chaos import Killer, Reports
from consumer.process import pulse

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.testing import FakeClock


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    pids: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _: pids.append(pid))
    return pids


def living(folder: Path, *messages: str) -> None:
    """Leave a sign of life of this very process, with messages in hand."""
    pid = os.getpid()
    ticks = pulse.started(pid)
    held = {name: {"message_id": name} for name in messages}
    life = {"name": "worker_00", "pid": pid, "start_ticks": ticks, "in_hand": held}
    (folder / f"worker_00.{pid}.{ticks}.json").write_text(json.dumps(life))


async def test_a_process_is_killed_every_few_seconds_while_it_has_an_order_in_hand(
    tmp_path: Path, clock: FakeClock, killed: list[int]
) -> None:
    killer = Killer(tmp_path, clock)
    for name in ("a", "b", "c"):
        living(tmp_path, name)
        killer.tick()
        assert killer.kills == len(killed), "not before it is time"
        await clock.advance(chaos.EVERY[1])
        killer.tick()
    assert killed == [os.getpid()] * 3
    assert killer.kills == 3


async def test_an_order_meets_it_once_and_a_process_without_one_never(
    tmp_path: Path, clock: FakeClock, killed: list[int]
) -> None:
    killer = Killer(tmp_path, clock)
    for messages in (["a"], ["a"], [], ["b", "a"]):
        living(tmp_path, *messages)
        await clock.advance(chaos.EVERY[1])
        killer.tick()
    assert len(killed) == 1


def test_reports_are_read_from_the_table_that_the_handler_writes_into(tmp_path: Path) -> None:
    reports = Reports(tmp_path)
    with sqlite3.connect(reports.url.removeprefix("sqlite:///")) as connection:
        connection.executemany("INSERT INTO reports (order_id) VALUES (?)", [("a",), ("b",), ("a",)])
    connection.close()
    assert sorted(reports.written()) == ["a", "a", "b"]

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.local.deliveries import Deliveries
from consumer.local.scene import Memory, Row, row, scene
from consumer.local.view import Lines, cells, figures
from consumer.process.memory import Memory as Measured
from consumer.testing import FakeClock

if TYPE_CHECKING:
    import pytest

LIFE = {"name": "worker_00", "pid": 7, "state": "busy", "handled": 3}


def test_a_process_is_shown_with_its_order_and_for_how_long() -> None:
    life = {**LIFE, "in_hand": {"m-1.1": {"message_id": "m-1", "since": 98.5}}}
    found = row(life, {"m-1": "R-0001"}, {7: 21.5}, now=100.0)
    assert cells(found) == ("worker_00", "7", "busy", "3", "R-0001", "1.5 s", "22 MB")


def test_an_idle_process_has_no_order_and_no_seconds() -> None:
    found = row({**LIFE, "state": "idle", "in_hand": {}}, {}, {}, now=100.0)
    assert cells(found) == ("worker_00", "7", "idle", "3", "", "", "")


def test_the_moment_is_told_in_words() -> None:
    deliveries = Deliveries(done=set("abc"), dead={"d"}, first_receive=0.0)
    deliveries.outcomes["retry"] = 2
    deliveries._ends.extend([1.0, 2.0, 3.0, 4.0])
    rows = (Row("worker_00", 7, "busy", 3, "R-0001", 1.0), Row("worker_01", 8, "idle", 1))
    moment = scene("draining", 4.0, 10, deliveries, rows, now=4.0)
    expected = ["3 of 10 handled", "1 in hand", "5 waiting", "2 retried", "1 dead", "1.0 a second", "6 s left"]
    assert figures(moment) == expected


def test_nobody_can_tell_the_time_left_before_anything_is_done() -> None:
    moment = scene("starting", 0.0, 10, Deliveries(), (), now=4.0)
    assert moment.left is None
    assert figures(moment) == ["0 of 10 handled", "0 in hand", "10 waiting"]


def test_a_line_is_printed_every_two_seconds_and_for_each_stage(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock()
    lines = Lines(clock)
    for stage in ("starting", "draining", "draining", "draining", "draining"):
        lines.show(scene(stage, 0.0, 1, Deliveries(), (), now=0.0))
        clock.block(0.9)
    assert capsys.readouterr().out.count("\n") == 3


def test_memory_is_that_of_the_moment_at_which_the_whole_was_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    readings = iter([{1: 20.0, 2: 10.0, 3: 12.0}, {1: 20.0, 2: 15.0, 3: 16.0}, {1: 20.0, 2: 11.0}])
    now: dict[int, float] = {}
    monkeypatch.setattr("consumer.local.scene._family", lambda _: list(now))
    monkeypatch.setattr("consumer.local.scene.measure", lambda pid: Measured(uss=0, pss=now[pid], rss=0))
    memory = Memory(1, clock)
    for reading in readings:
        now = reading
        memory.sample()
        memory.sample()  # at once again: nothing is read
        clock.block(2.5)
    assert memory.total() == 51.0
    assert memory.per_process() == 15.5


def test_memory_that_nobody_could_read_is_unknown() -> None:
    memory = Memory(2**22 + 1, FakeClock())
    memory.sample()
    assert memory.total() is None
    assert memory.per_process() is None

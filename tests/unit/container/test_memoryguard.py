from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any, cast

import pytest

from consumer.container import ending, memoryguard
from consumer.container.kill import Kills
from consumer.container.memoryguard import MemoryGuard, hard_limit
from consumer.container.picture import Picture
from consumer.process import cgroup, memory, offspring, pulse
from consumer.process.memory import Memory
from unit.doubles import FakeLog, settings

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.testing import FakeClock


class Scene:
    """Four processes, all of them this test's own to the kernel; `uss` says what each holds, by its name."""

    def __init__(self, folder: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.clock, self.log = folder, clock, FakeLog()
        self.sent: list[tuple[str, int]] = []
        self.uss: dict[int, float] = {}
        self.children: dict[int, set[int]] = {}
        self.used = 0.0
        self.picture = Picture(folder)
        self.kills = Kills(folder, cast("Any", self.log), send=self.send)
        monkeypatch.setattr(pulse, "started", lambda pid: pid)
        monkeypatch.setattr(memoryguard, "resident", lambda pid: self.uss.get(pid, 0.0) + 50)
        monkeypatch.setattr(memory, "measure", self.measured)
        monkeypatch.setattr(offspring, "children", lambda pid: self.children.get(pid, set()))
        monkeypatch.setattr(cgroup, "used", lambda: self.used)

    def send(self, life: dict[str, Any], number: int) -> None:
        self.sent.append((life["name"], number))

    def measured(self, pid: int) -> Memory | None:
        return Memory(self.uss[pid], self.uss[pid] + 10, self.uss[pid] + 50) if pid in self.uss else None

    def process(self, number: int, uss: float, *, busy: bool = True, state: str = "busy") -> Path:
        self.uss[number] = uss
        path = self.folder / f"worker_0{number}.{number}.{number}.json"
        in_hand = {"m.1": {"message_id": "m"}} if busy else {}
        name = f"worker_0{number}"
        facts = {"name": name, "pid": number, "start_ticks": number, "state": state, "in_hand": in_hand}
        path.write_text(json.dumps(facts))
        return path

    def guard(self, budget: float = 1000.0, **given: Any) -> MemoryGuard:
        return MemoryGuard(self.picture, settings(processes=4, **given), self.clock, self.kills, budget=budget)

    def look(self, guard: MemoryGuard) -> None:
        self.picture.look()
        guard.look()


@pytest.fixture
def scene(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, clock, monkeypatch)


def test_a_process_over_the_hard_limit_during_a_message_is_killed_and_the_message_is_a_suspect(scene: Scene) -> None:
    scene.process(1, 299)
    fat = scene.process(2, 301)
    scene.process(3, 900, busy=False)  # between messages it retires by itself
    scene.look(scene.guard(budget=0.0, memory_hard_limit=300))
    assert scene.sent == [("worker_02", signal.SIGKILL)]
    left = ending.read(fat)
    assert left.killed == "301 MiB of private memory during a message, of 300 at most"
    assert left.suspects
    assert scene.log.named("process_killed")[0]["duty"] == "memory"


def test_a_browser_counts_as_its_process_s_memory_during_a_message(scene: Scene) -> None:
    scene.uss |= {11: 60.0, 12: 190.0, 21: 900.0}
    scene.children = {1: {11}, 11: {12}, 2: {21}}
    fat = scene.process(1, 60)
    scene.process(2, 60, busy=False)
    scene.look(scene.guard(budget=0.0, memory_hard_limit=300))
    assert scene.sent == [("worker_01", signal.SIGKILL)]
    assert ending.read(fat).killed == (
        "310 MiB of private memory, with what its handler has started, during a message, of 300 at most"
    )


def test_a_browser_counts_where_the_container_s_memory_is_that_of_its_processes(scene: Scene) -> None:
    for number in range(1, 5):
        scene.process(number, 100.0 + number)
    scene.uss[21] = 500.0
    guard = scene.guard(memory_hard_limit=0)
    scene.look(guard)
    scene.look(guard)
    assert not scene.sent
    scene.children = {2: {21}}
    scene.look(guard)
    scene.look(guard)
    assert scene.sent == [("worker_02", signal.SIGKILL)]


def test_the_fattest_process_of_a_full_container_is_replaced_after_two_readings(scene: Scene) -> None:
    for number, uss in enumerate((100, 300, 200, 100), 1):
        scene.process(number, uss)
    guard = scene.guard()
    scene.used = 921.0
    scene.look(guard)
    assert not scene.sent, "one reading may be a moment's"
    scene.look(guard)
    assert scene.sent == [("worker_02", signal.SIGKILL)]
    assert not ending.read(scene.folder / "worker_02.2.2.json").suspects


def test_a_reading_below_begins_the_count_again(scene: Scene) -> None:
    for number in range(1, 5):
        scene.process(number, 100)
    guard = scene.guard()
    for used in (921.0, 919.0, 921.0, 919.0):
        scene.used = used
        scene.look(guard)
    assert not scene.sent


async def test_at_most_one_process_is_replaced_in_30_seconds(scene: Scene) -> None:
    for number in range(1, 5):
        scene.process(number, 100.0 + number)
    guard = scene.guard()
    scene.used = 999.0
    for _ in range(30):
        scene.look(guard)
        await scene.clock.advance(1)
    assert len(scene.sent) == 1
    await scene.clock.advance(2)
    scene.look(guard)
    assert len(scene.sent) == 2


def test_none_is_replaced_while_a_quarter_of_the_processes_are_restarting(scene: Scene) -> None:
    for number in range(1, 4):
        scene.process(number, 100)
    scene.process(4, 100, busy=False, state="starting")
    guard = scene.guard()
    scene.used = 999.0
    scene.look(guard)
    scene.look(guard)
    assert not scene.sent
    scene.process(4, 100, busy=False, state="idle")
    scene.look(guard)
    assert len(scene.sent) == 1


async def test_a_container_far_from_full_is_looked_at_each_third_second_and_busy_processes_each_second(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def used() -> float:
        looks.append(scene.clock.monotonic())
        return scene.used

    monkeypatch.setattr(cgroup, "used", used)
    for number in range(1, 5):
        scene.process(number, 100)
    guard = scene.guard(memory_hard_limit=300)
    scene.used = 600.0
    for _ in range(6):
        scene.look(guard)
        await scene.clock.advance(1)
    assert looks == [1000, 1003]
    scene.process(2, 301)
    scene.used = 700.0
    scene.look(guard)
    assert scene.sent == [("worker_02", signal.SIGKILL)]
    scene.uss.pop(2)
    for _ in range(3):
        scene.look(guard)
        await scene.clock.advance(1)
    assert looks == [1000, 1003, 1006, 1007, 1008]


def test_one_with_nothing_in_hand_is_told_to_stop_and_not_killed(scene: Scene) -> None:
    for number in range(1, 5):
        scene.process(number, 100.0 * number, busy=number < 4)
    guard = scene.guard()
    scene.used = 999.0
    scene.look(guard)
    scene.look(guard)
    assert scene.sent == [("worker_04", signal.SIGTERM)]
    (asked,) = scene.log.named("process_asked")
    assert (asked["name"], asked["duty"]) == ("worker_04", "memory")
    assert not scene.log.named("process_killed"), "it is not"


def test_without_a_limit_of_its_cgroup_the_container_holds_what_its_processes_do(scene: Scene) -> None:
    scene.uss |= {os.getpid(): 20.0, os.getppid(): 40.0}
    for number in range(1, 5):
        scene.process(number, 190)
    guard = scene.guard()
    scene.look(guard)
    scene.look(guard)
    assert not scene.sent, "RSS is over 92 %, PSS is not"
    scene.process(4, 250)
    scene.look(guard)
    scene.look(guard)
    assert scene.sent == [("worker_04", signal.SIGKILL)]


def test_with_no_memory_known_nothing_is_judged(scene: Scene) -> None:
    scene.process(1, 5000)
    guard = scene.guard(budget=0.0)
    scene.used = 5000.0
    scene.look(guard)
    scene.look(guard)
    assert not scene.sent


@pytest.mark.parametrize(("processes", "limit"), [(1, 920), (2, 920), (3, 2000 / 3), (4, 500), (16, 500)])
def test_the_automatic_hard_limit_is_what_no_process_should_need(processes: int, limit: float) -> None:
    assert hard_limit(settings(processes=processes), 1000.0) == pytest.approx(limit)
    assert hard_limit(settings(processes=processes), 0.0) == 0
    assert hard_limit(settings(processes=processes, memory_hard_limit=0), 1000.0) == 0


def test_the_cgroup_is_read_in_both_versions_and_only_where_it_has_a_limit(tmp_path: Path) -> None:
    mib = 1024 * 1024
    (tmp_path / "memory.current").write_text(str(700 * mib))
    (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {100 * mib}\n")
    assert cgroup.used(tmp_path) == 0
    (tmp_path / "memory.max").write_text(str(1000 * mib))
    (tmp_path / "memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    assert cgroup.used(tmp_path) == 600
    assert cgroup.oom_kills(tmp_path) == 2
    old = tmp_path / "old" / "memory"
    old.mkdir(parents=True)
    (old / "memory.limit_in_bytes").write_text(str(1000 * mib))
    (old / "memory.usage_in_bytes").write_text(str(500 * mib))
    (old / "memory.stat").write_text(f"inactive_file 1\ntotal_inactive_file {50 * mib}\n")
    assert cgroup.used(old.parent) == 450
    assert cgroup.oom_kills(old.parent) is None
    (old / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 4\n")
    assert cgroup.oom_kills(old.parent) == 4

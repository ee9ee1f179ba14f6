from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, cast

import pytest

from consumer.container import ending
from consumer.container.kill import Kills, kill
from consumer.container.picture import Picture
from consumer.container.watchdog import Watchdog
from consumer.process import pulse
from unit.doubles import FakeLog, settings

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.testing import FakeClock


class Scene:
    """One process, which this test's own is, under the watchdog's eyes."""

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.clock, self.log = clock, FakeLog()
        self.killed: list[str] = []
        self.kills = Kills(folder, cast("Any", self.log), send=self.kill)
        given = settings(time_limit=60, time_limit_grace=10, stop_timeout=30)  # a drain of 20 s
        self.picture = Picture(folder)
        self.watchdog = Watchdog(self.picture, given, clock, self.kills)
        pid = os.getpid()
        self.path = folder / f"worker_00.{pid}.{pulse.started(pid)}.json"
        self.in_hand: dict[str, Any] = {}
        self.facts: dict[str, Any] = {"name": "worker_00", "pulse_timeout": 45.0}
        self.beat()

    def kill(self, life: dict[str, Any], _: int) -> None:
        self.killed.append(life["name"])

    def beat(self) -> None:
        pid = os.getpid()
        facts = {**self.facts, "pid": pid, "start_ticks": pulse.started(pid)}
        self.path.write_text(json.dumps({**facts, "beat": self.clock.time(), "in_hand": self.in_hand}))

    async def look(self, seconds: int, *, beating: bool) -> None:
        for _ in range(seconds):
            await self.clock.advance(1)
            if beating:
                self.beat()
            self.picture.look()
            await self.watchdog()

    def hold(self, **facts: Any) -> None:
        self.in_hand = {"m.1": {"message_id": "m", "since": self.clock.time(), **facts}}


@pytest.fixture
def scene(tmp_path: Path, clock: FakeClock) -> Scene:
    return Scene(tmp_path, clock)


async def test_a_process_whose_sign_of_life_stands_still_is_killed_and_its_messages_are_suspects(scene: Scene) -> None:
    await scene.look(45, beating=False)
    assert not scene.killed
    await scene.look(2, beating=False)
    assert scene.killed
    left = ending.read(scene.path)
    assert left.killed == "its sign of life has stood still for 46 s"
    assert left.suspects


async def test_a_slow_handler_with_a_live_sign_of_life_is_left_alone(scene: Scene) -> None:
    scene.hold()
    await scene.look(60 + 10 + 20, beating=True)
    assert not scene.killed


async def test_a_process_that_does_not_end_a_run_far_past_its_limit_is_killed(scene: Scene) -> None:
    scene.hold()
    await scene.look(60 + 10 + 20 + 20, beating=True)
    assert scene.killed
    assert "far past its limit" in ending.read(scene.path).killed


async def test_time_spent_waiting_for_a_turn_is_no_run(scene: Scene) -> None:
    scene.hold(waiting=True)
    await scene.look(200, beating=True)
    scene.in_hand["m.1"] |= {"waiting": False}
    await scene.look(80, beating=True)
    assert not scene.killed


async def test_a_run_that_cannot_be_closed_while_the_database_is_away_is_no_overlong_run(scene: Scene) -> None:
    scene.hold()
    scene.facts["trouble"] = "the ledger's database is away"
    await scene.look(300, beating=True)
    assert not scene.killed


async def test_a_wall_clock_that_is_set_forward_kills_nobody(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.hold()
    await scene.look(3, beating=True)
    now = scene.clock.time
    monkeypatch.setattr(scene.clock, "time", lambda: now() + 3600)
    await scene.look(30, beating=False)
    await scene.look(60 + 10 + 20 - 33, beating=True)
    assert not scene.killed


async def test_a_container_that_was_paused_kills_nobody_when_it_goes_on(scene: Scene) -> None:
    scene.hold()
    await scene.look(3, beating=True)
    scene.clock.freeze_jump(3600)
    await scene.look(40, beating=False)
    assert not scene.killed


async def test_one_that_cannot_be_killed_is_logged_and_tried_again(scene: Scene) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("not yours")

    scene.kills._send = refuse
    await scene.look(48, beating=False)
    assert len(scene.log.named("not_killed")) == 2
    assert not ending.read(scene.path).killed


async def test_one_that_has_gone_by_itself_was_not_killed(scene: Scene) -> None:
    scene.kills._send = kill
    gone = {"name": "worker_00", "pid": 2**22 - 1, "start_ticks": 7, "in_hand": {}}
    scene.kills.end(gone, "it is frozen", duty="watchdog", suspects=True)
    assert not scene.log.named("process_killed")
    assert [one.suffix for one in scene.path.parent.iterdir()] == [".json"]

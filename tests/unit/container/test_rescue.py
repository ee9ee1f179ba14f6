"""What becomes of the messages that a dead process had in hand."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from consumer.clock import Clock
from consumer.container import ending
from consumer.container.duties import Duties
from consumer.container.rescue import UNTOLD, Rescue
from consumer.lane import Lane
from consumer.process import cgroup, pulse
from consumer.process.crashes import Crashes, Record
from consumer.process.stop import Stop
from support.programs import kill, wait_until
from unit.doubles import FakeLog, refusal, settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from consumer.testing import FakeClock

DEAD = 2**22 - 1  # no process has this pid
AWAY = EndpointConnectionError(endpoint_url="http://nowhere")
UNANSWERED = ReadTimeoutError(endpoint_url="http://slow")
CUT = ConnectionClosedError(endpoint_url="http://cut")

STOCK: dict[str, Any] = {"budget": 0.0, "untold": UNTOLD, "release": None}


class Desk:
    """A queue that takes back what it is given, but for its troubles."""

    def __init__(self) -> None:
        self.given: list[tuple[str, int]] = []
        self.troubles: list[Exception] = []
        self.refused: dict[int, str] = {}
        self.calls = 0

    async def give_back(self, handles: Sequence[tuple[str, int]]) -> dict[int, str]:
        self.calls += 1
        if self.troubles:
            raise self.troubles.pop(0)
        self.given += handles
        return self.refused


class Scene:
    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.folder, self.clock = folder, clock
        self.desk, self.log = Desk(), FakeLog()
        self.kills: int | None = 0
        self.crashes = Crashes(folder)

    def rescue(self, **more: Any) -> Rescue:
        given = settings(processes=4)
        return Rescue(self.folder, self.desk, given, self.clock, cast("Any", self.log), **(STOCK | more))

    def life(self, *ids: str, lease: float = 60.0, name: str = "worker_00", **facts: object) -> Path:
        now = self.clock.time()
        in_hand = {
            f"{one}.1": {"message_id": one, "receipt_handle": f"h-{one}", "since": now, "lease_until": now + lease}
            for one in ids
        }
        path = self.folder / f"{name}.{DEAD}.7.json"
        about = {"name": name, "pid": DEAD, "start_ticks": 7, "state": "busy", "uss_mib": 412.3, "pss_mib": 430.0}
        path.write_text(json.dumps({**about, "in_hand": in_hand, **facts}))
        return path

    def word(self, path: Path, code: int, *, told: bool = False) -> None:
        path.with_suffix(".end").write_text(json.dumps({"code": code, "told": told}))

    def death(self, code: int, *ids: str, told: bool = False, **facts: Any) -> Path:
        path = self.life(*(ids or ("m",)), **facts)
        self.word(path, code, told=told)
        return path


@pytest.fixture
def scene(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Scene:
    scene = Scene(tmp_path, clock)
    monkeypatch.setattr(cgroup, "oom_kills", lambda: scene.kills)
    return scene


async def test_what_a_dead_life_had_in_hand_is_visible_at_once_and_its_files_go(scene: Scene) -> None:
    scene.death(137, *(f"m{number}" for number in range(12)))
    await scene.rescue()()
    assert scene.desk.given == [(f"h-m{number}", 0) for number in range(12)]
    assert scene.desk.calls == 2, "ten at a time"
    assert not [one for one in scene.folder.iterdir() if one.is_file()]


async def test_a_message_whose_lease_has_passed_is_left_alone(scene: Scene) -> None:
    path = scene.death(137, lease=-1.0)
    await scene.rescue()()
    assert scene.desk.calls == 0
    assert not path.exists()


async def test_a_life_of_whose_end_nobody_has_told_is_rescued_a_pass_later(scene: Scene) -> None:
    path = scene.life("m")
    rescue = scene.rescue()
    await rescue()
    assert scene.desk.calls == 0
    await scene.clock.advance(1)
    await rescue()
    assert scene.desk.given == [("h-m", 0)]
    assert path.exists(), "PID 1 still has to judge this life by it"
    await scene.clock.advance(4)
    await rescue()
    assert scene.desk.calls == 1
    assert not path.exists()


async def test_under_stock_supervisord_nobody_tells_and_nothing_waits(scene: Scene) -> None:
    scene.life("m")
    await scene.rescue(untold=0.0)()
    assert scene.desk.given == [("h-m", 0)]
    assert scene.crashes.of("m") == Record(1, 1)


def orphan() -> tuple[int, int]:
    """Leave a program behind in the group of a process that has ended; give the pids of both."""
    program = ["sh", "-c", "sleep 60 >/dev/null & echo $!"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, process_group=0) as shell:
        return shell.pid, int(shell.communicate()[0])


@pytest.mark.parametrize("untold", [0.0, UNTOLD])
@pytest.mark.parametrize("ticks", [None, 99])
async def test_under_stock_supervisord_what_a_handler_has_started_ends_before_its_message_comes_back(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, untold: float, ticks: int | None
) -> None:
    dead, left = orphan()
    path = scene.life("m", pid=dead).rename(scene.folder / f"worker_00.{dead}.7.json")
    monkeypatch.setattr(pulse, "started", lambda pid: ticks if pid == dead else None)
    try:
        scene.word(path, 137)
        await scene.rescue(untold=untold)()
        monkeypatch.undo()
        ends = not untold and ticks is None
        wait_until(lambda: (pulse.started(left) is None) == ends, "it has ended, or goes on")
    finally:
        kill(left, signal.SIGKILL)
    assert scene.desk.given == [("h-m", 0)]


async def test_the_queue_away_is_asked_again_and_a_crash_is_counted_once(scene: Scene) -> None:
    path = scene.death(137)
    scene.desk.troubles = [AWAY, refusal("RequestThrottled")]
    rescue = scene.rescue()
    await rescue()
    await rescue()
    assert path.exists()
    await rescue()
    assert scene.desk.given == [("h-m", 0)]
    assert scene.crashes.of("m") == Record(1, 1)
    assert not path.exists()


@pytest.mark.parametrize("error", [UNANSWERED, CUT, refusal("InternalError"), refusal("503"), refusal("AccessDenied")])
async def test_a_queue_that_refuses_or_may_have_heard_is_not_told_twice(scene: Scene, error: Exception) -> None:
    path = scene.death(137)
    scene.desk.troubles = [error]
    rescue = scene.rescue()
    await rescue()
    await rescue()
    assert scene.desk.calls == 1
    (said,) = scene.log.named("not_given_back")
    assert (said["messages"], said["message_ids"], said["again"]) == (1, ["m"], False)
    assert said["error"]
    assert not path.exists()


async def test_an_agent_that_dies_once_the_queue_may_have_heard_has_a_successor_that_does_not_tell_it_again(
    scene: Scene,
) -> None:
    path = scene.life("m")
    await scene.rescue(untold=0.0)()
    assert path.exists(), "nobody has told how it ended"
    await scene.rescue(untold=0.0)()
    assert scene.desk.given == [("h-m", 0)]
    assert len(scene.log.named("process_died")) == 1


async def test_the_queue_is_told_of_nothing_that_the_life_s_file_still_names(scene: Scene) -> None:
    path = scene.death(137, *(f"m{number}" for number in range(12)))
    named: list[int] = []
    tell = scene.desk.give_back

    async def look(handles: Sequence[tuple[str, int]]) -> dict[int, str]:
        named.append(len(json.loads(path.read_text())["in_hand"]))
        return await tell(handles)

    scene.desk.give_back = look  # type: ignore[method-assign]
    await scene.rescue()()
    assert named == [2, 0]


async def test_what_cannot_be_noted_is_not_told_until_it_can(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "no space left on device")

    path = scene.death(137)
    rescue = scene.rescue()
    with monkeypatch.context() as full:
        full.setattr(ending, "leave_in_hand", refuse)
        await rescue()
    assert scene.desk.calls == 0
    assert scene.log.named("not_given_back")[0]["again"] is True
    await rescue()
    assert scene.desk.given == [("h-m", 0)]
    assert not path.exists()


async def test_a_full_run_directory_keeps_no_message_back(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    path = scene.death(137, "m", "n")
    monkeypatch.setattr(os, "write", lambda *_: 1)
    await scene.rescue()()
    assert scene.desk.given == [("h-m", 0), ("h-n", 0)]
    assert not path.exists()


async def test_a_lease_that_ends_while_claims_are_released_is_left_alone(scene: Scene) -> None:
    scene.death(137, lease=5.0)
    rescue = scene.rescue(release=lambda *_: scene.clock.block(6))
    await rescue()
    assert scene.desk.calls == 0


async def test_a_handle_that_is_no_longer_valid_is_a_message_that_is_settled(scene: Scene) -> None:
    path = scene.death(137)
    scene.desk.refused = {0: "ReceiptHandleIsInvalid"}
    await scene.rescue()()
    assert not scene.log.named("not_given_back")
    assert not path.exists()


@pytest.mark.parametrize(
    ("code", "facts", "counts"),
    [
        (137, {}, True),  # SIGKILL, not ours
        (139, {}, True),  # SIGSEGV
        (3, {}, True),  # os._exit(3) in a handler
        (0, {}, True),  # os._exit(0) in a handler
        (0, {"state": "draining"}, False),
        (137, {"told": True}, False),  # by supervisord, at stopwaitsecs
        (20, {}, False),  # a timeout, which has been counted as a failure
        (21, {}, False),
    ],
)
async def test_only_what_a_message_may_have_done_counts_as_its_crash(
    scene: Scene, code: int, facts: dict[str, Any], *, counts: bool
) -> None:
    scene.death(code, **facts)
    await scene.rescue()()
    assert scene.crashes.of("m").crashes == counts
    assert scene.desk.given == [("h-m", 0)], "it comes back at once all the same"


async def test_an_oom_kill_is_named_with_the_memory_before_the_end(scene: Scene) -> None:
    rescue = scene.rescue(budget=1024.0)
    scene.death(137)
    scene.kills = 1
    await rescue()
    assert scene.log.named("process_died")[0]["how"] == "probably out of memory: 412 MiB before the end"
    assert scene.crashes.of("m").crashes == 1, "430 MiB is more than a quarter of 1024"


async def test_what_filled_the_container_after_its_last_sign_of_life_is_known_by_the_room_that_it_leaves(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroup, "used", lambda: 348.0)
    rescue = scene.rescue(budget=2048.0)
    scene.death(137, uss_mib=40.0, pss_mib=45.0)
    scene.kills = 1
    await rescue()
    assert scene.log.named("process_died")[0]["how"] == "probably out of memory: 1700 MiB before the end"
    assert scene.crashes.of("m").crashes == 1


@pytest.mark.parametrize(
    ("kills", "how"),
    [
        (0, "killed by SIGKILL, and not by the kernel for want of memory"),
        (None, "killed by SIGKILL, perhaps for want of memory: 412 MiB before the end"),
    ],
)
async def test_a_kill_that_the_kernel_does_not_own_up_to_is_not_said_to_be_its_own(
    scene: Scene, kills: int | None, how: str
) -> None:
    scene.kills = kills
    rescue = scene.rescue(budget=1024.0)
    scene.death(137)
    await rescue()
    assert scene.log.named("process_died")[0]["how"] == how


async def test_a_large_process_may_be_gone_some_seconds_after_the_kernel_has_chosen_it(scene: Scene) -> None:
    rescue = scene.rescue(budget=1024.0)
    scene.kills = 1
    await rescue()
    await scene.clock.advance(3)
    scene.death(137)
    await rescue()
    assert "probably out of memory" in scene.log.named("process_died")[0]["how"]
    await scene.clock.advance(3)
    scene.death(137, "n")
    await rescue()
    assert "not by the kernel" in scene.log.named("process_died")[1]["how"]


async def test_an_oom_kill_of_a_process_that_kept_to_its_share_is_not_its_message_s_fault(scene: Scene) -> None:
    rescue = scene.rescue(budget=2048.0)
    scene.death(137)
    scene.kills = 1
    await rescue()
    assert scene.crashes.of("m") == Record()


async def test_the_agent_s_own_kill_is_named_and_may_speak_for_or_against_the_messages(scene: Scene) -> None:
    rescue = scene.rescue()
    for suspects in (True, False):
        path = scene.life(f"m{suspects}")
        ending.leave_reason(path, "its sign of life is 46 s old", suspects=suspects)
        scene.word(path, 137)
        await rescue()
        assert scene.crashes.of(f"m{suspects}").crashes == suspects
    assert {line["how"] for line in scene.log.named("process_died")} == {
        "ended by the agent: its sign of life is 46 s old"
    }


async def test_a_message_with_a_crash_on_record_waits_before_it_is_visible_again(scene: Scene) -> None:
    rescue = scene.rescue()
    for number in range(3):
        scene.death(137, name=f"worker_{number:02d}")
        await rescue()
    assert [seconds for _, seconds in scene.desk.given] == [0, 23, 68]  # half of 30 and of 90 s sure, half by the dice
    assert scene.crashes.of("m") == Record(3, 3)


async def test_a_death_is_one_crash_though_the_agent_has_died_as_well_and_its_successor_looks_again(
    scene: Scene,
) -> None:
    scene.death(137)
    scene.desk.troubles = [AWAY]
    await scene.rescue()()
    await scene.rescue()()
    assert scene.desk.given == [("h-m", 0)]
    assert scene.crashes.of("m") == Record(1, 1)


async def test_of_several_messages_in_hand_all_are_suspects_and_none_was_alone(scene: Scene) -> None:
    scene.death(137, "m", "n")
    await scene.rescue()()
    assert [scene.crashes.of(one) for one in "mn"] == [Record(1, 0), Record(1, 0)]


async def test_claims_are_released_before_the_queue_is_told(scene: Scene) -> None:
    path = scene.death(137, "m", "n")
    seen: list[tuple[str, bool | None, int]] = []
    rescue = scene.rescue(release=lambda entry, alone: seen.append((entry["message_id"], alone, scene.desk.calls)))
    await rescue()
    assert seen == [("m", False, 0), ("n", False, 0)]
    assert not path.exists()


@pytest.mark.parametrize(("ids", "facts", "alone"), [(["m"], {}, True), (["m"], {"told": True}, None)])
async def test_with_a_claim_goes_the_word_whether_its_message_crashed_alone(
    scene: Scene, ids: list[str], facts: dict[str, Any], *, alone: bool | None
) -> None:
    told: list[bool | None] = []
    scene.death(137, *ids, **facts)
    await scene.rescue(release=lambda _, alone: told.append(alone))()
    assert told == [alone]


async def test_who_waited_for_its_turn_is_released_and_no_suspect(scene: Scene) -> None:
    told: dict[str, bool | None] = {}
    path = scene.life("m", "n")
    life = json.loads(path.read_text())
    life["in_hand"]["n.1"]["waiting"] = True
    path.write_text(json.dumps(life))
    scene.word(path, 137)
    await scene.rescue(release=lambda entry, alone: told.update({entry["message_id"]: alone}))()
    assert told == {"m": True, "n": None}


async def test_a_crash_that_only_the_ledger_knows_of_makes_the_message_wait_as_well(scene: Scene) -> None:
    path = scene.life("m")
    life = json.loads(path.read_text())
    life["in_hand"]["m.1"]["crashes"] = 2
    path.write_text(json.dumps(life))
    scene.word(path, 137)
    await scene.rescue()()
    assert scene.desk.given == [("h-m", 68)]


async def test_a_claim_that_cannot_be_released_keeps_no_message_back(scene: Scene) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionError("the database is away")

    scene.death(137)
    await scene.rescue(release=refuse)()
    assert scene.desk.given == [("h-m", 0)]
    assert "the database is away" in scene.log.named("claims_not_released")[0]["error"]


async def test_a_database_that_hangs_delays_rescue_by_a_second_and_no_more(tmp_path: Path) -> None:

    clock, release = Clock(), threading.Event()
    scene = Scene(tmp_path, cast("Any", clock))
    for number in range(4):
        scene.word(scene.life(f"m{number}", name=f"worker_0{number}"), 137)
    began = clock.monotonic()
    await scene.rescue(release=lambda *_: release.wait(30))()
    assert len(scene.desk.given) == 4
    assert clock.monotonic() - began < 4
    release.set()


async def test_a_duty_that_hangs_is_skipped_and_counted_and_delays_no_other(scene: Scene) -> None:
    class Endpoint:
        name = "protection"

        async def __call__(self) -> None:
            await scene.clock.sleep(7.5)

    agent = Duties([Endpoint(), scene.rescue()], scene.clock, Stop(scene.clock, 3), cast("Any", scene.log))

    running = asyncio.create_task(agent.run())
    await scene.clock.advance(3)
    scene.death(137)
    await scene.clock.advance(1)
    assert scene.desk.given == [("h-m", 0)]
    assert agent.every[0].skipped == 4
    assert len(scene.log.named("duty_late")) == 1
    await scene.clock.advance(13)
    assert [line["skipped"] for line in scene.log.named("duty_goes_on")] == [7, 7], "each time those of that time"
    assert agent.every[1].skipped == 0
    running.cancel()


async def test_a_duty_that_blocks_in_its_lane_for_ever_is_skipped_each_second_and_the_others_go_on(
    scene: Scene,
) -> None:
    release = threading.Event()

    class Endpoint:
        name = "protection"
        lane = Lane("protection")

        async def __call__(self) -> None:
            await self.lane.run(release.wait)

    stop = Stop(scene.clock, 3)
    agent = Duties([Endpoint(), scene.rescue()], scene.clock, stop, cast("Any", scene.log))
    running = asyncio.create_task(agent.run())
    for number in range(10):
        scene.death(137, f"m{number}")
        await scene.clock.advance(1)
    assert scene.desk.given == [(f"h-m{number}", 0) for number in range(10)]
    assert agent.every[0].skipped == 10
    assert [line["duty"] for line in scene.log.named("duty_late")] == ["protection"]
    scene.death(137, "last")
    stop.tell("SIGTERM")
    await scene.clock.advance(3)
    assert running.done(), "nor does it keep the agent from leaving in time"
    assert scene.desk.given[-1] == ("h-last", 0)
    release.set()


async def test_a_duty_that_fails_has_its_next_pass(scene: Scene) -> None:
    class Failing:
        name = "failing"
        passes = 0

        async def __call__(self) -> None:
            self.passes += 1
            raise OSError("disk full")

    failing, stop = Failing(), Stop(scene.clock, 3)
    agent = Duties([failing], scene.clock, stop, cast("Any", scene.log))

    running = asyncio.create_task(agent.run())
    await scene.clock.advance(2.5)
    assert failing.passes == 3
    stop.tell("SIGTERM")
    await scene.clock.rest()
    assert failing.passes > 3, "one more pass on the way out"
    assert running.done()


@pytest.mark.parametrize("text", ["[1]", '{"name": "other"}'])
async def test_a_file_that_is_no_sign_of_life_keeps_no_other_life_from_being_rescued(scene: Scene, text: str) -> None:
    (scene.folder / f"other.{DEAD}.8.json").write_text(text)
    scene.death(137, "m")
    await scene.rescue()()
    assert scene.desk.given == [("h-m", 0)]


async def test_a_life_whose_rescue_breaks_has_no_other_one_s_messages_told_twice(scene: Scene) -> None:
    """A pass that has ended with an error is followed by the next one: nothing of it may be under way still."""
    answer, asked = asyncio.Event(), 0

    async def give_back(_: object) -> dict[int, str]:
        nonlocal asked
        asked += 1
        await answer.wait()
        return {}

    scene.desk.give_back = give_back  # type: ignore[method-assign,assignment]
    scene.death(137, "m", name="worker_01")
    scene.life("n").with_suffix(".end").write_text('{"other": 1}')
    rescue, stop = scene.rescue(), Stop(scene.clock, 3)
    running = asyncio.create_task(Duties([rescue], scene.clock, stop, cast("Any", scene.log)).run())
    await scene.clock.advance(3)
    told = asked
    answer.set()
    stop.tell("SIGTERM")
    await scene.clock.advance(3)
    await running
    assert told == 1
    (said,) = scene.log.named("rescue_broken")
    assert said["file"].startswith("worker_00.")

"""What a container tells once a minute, and what it says that the queue needs."""

from __future__ import annotations

import json
from datetime import time
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError

from consumer import logs
from consumer.container import estimate
from consumer.container.gauges import Gauges
from consumer.message.queue import Counts
from consumer.process import cgroup, memory
from consumer.process.memory import Memory
from unit.doubles import FakeLog, Inline, settings

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.testing import FakeClock

SIXTEEN: dict[str, Any] = {"processes": 16, "metrics": "emf", "max_containers": 20, "expected_seconds": 100.0}


class Scene:
    """A container of 16 processes that expect 100 s a message; its clock shows 22:30 UTC."""

    def __init__(self, folder: Path, clock: FakeClock, **given: Any) -> None:
        self.folder, self.clock, self.log = folder, clock, FakeLog()
        self.living: list[dict[str, Any]] = [self.process(pid) for pid in range(16)]
        self.found: Counts | Exception = Counts(160, 0, 0)
        self.desired: int | None = 1
        self.counted: list[float] = []
        self.gauges = Gauges(
            cast("Any", self), self, settings(**(SIXTEEN | given)), clock, cast("Any", self.log),
            folder=folder, budget=1000.0, wanted=cast("Any", self),
        )  # fmt: skip

    def process(self, pid: int, **facts: Any) -> dict[str, Any]:
        runs = {"runs": 0, "run_seconds": 0.0, "longest_run": 0.0}
        return {"pid": pid, "start_ticks": 7, "in_hand": {}, "pss_mib": 25.0, **runs, **facts}

    async def counts(self) -> Counts:
        self.counted.append(self.clock.time())
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    async def look(self, seconds: int = 60) -> None:
        for _ in range(seconds):
            self.clock.freeze_jump(1)
            await self.gauges()

    async def minute(self) -> dict[str, Any]:
        """Let the minute end; give what is told."""
        before = len(self.log.named("gauges"))
        await self.look()
        (line,) = self.log.named("gauges")[before:]
        return dict(line[logs.METRICS])

    @property
    def estimate(self) -> dict[str, Any]:
        found = estimate.read(self.folder, self.clock.time())
        assert found
        return found


@pytest.fixture
def scene(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr("consumer.container.gauges.Lane", Inline)
    monkeypatch.setattr(memory, "measure", lambda _: Memory(20.0, 50.0, 60.0))
    monkeypatch.setattr(cgroup, "used", lambda: 0.0)
    clock.freeze_jump(0.4)  # the agent's passes are not on the minute
    return Scene(tmp_path, clock, deadline=time(23, 40), timezone="UTC")


async def test_once_a_minute_on_the_minute_all_of_it_is_told_stamped_with_its_beginning(scene: Scene) -> None:
    scene.living[0]["in_hand"] = {"a": {}}
    scene.living[1]["in_hand"] = {"b": {}}
    scene.found = Counts(160, 4, 3)
    told = await scene.minute()
    assert told["_aws"]["Timestamp"] % 60_000 == 0
    assert 0 <= scene.clock.time() - told["_aws"]["Timestamp"] / 1000 < 60
    (about,) = told["_aws"]["CloudWatchMetrics"]
    assert (about["Namespace"], about["Dimensions"]) == ("Consumer", [["Queue"]])
    assert {one["Name"] for one in about["Metrics"]} <= told.keys()
    assert (told["Queue"], told["Backlog"], told["BusyProcesses"], told["Processes"]) == ("orders", 167, 2, 16)
    await scene.look(600)
    assert len(scene.counted) == 11
    assert all(one % 60 < 1 for one in scene.counted)


async def test_the_need_follows_from_the_time_left_and_the_pace_that_was_expected(scene: Scene) -> None:
    scene.found = Counts(1600, 0, 0)  # 10,000 s of work for 16 processes, and 69 minutes left of which 5 % are kept
    told = await scene.minute()
    assert told["NeededContainers"] == 3
    assert told["SlackSeconds"] == pytest.approx(69 * 60 - 10_000 / 3 - 200, abs=61)
    found = scene.estimate
    assert (found["verdict"], found["needed_containers"], found["needed_processes"]) == ("at risk", 3, 48)
    assert found["seconds_per_message"] == 100
    assert found["deadline"] - scene.clock.time() == pytest.approx(69 * 60, abs=61)


async def test_what_was_asked_for_is_held_until_the_service_has_heard_it(scene: Scene) -> None:
    scene.found = Counts(1600, 0, 0)
    assert (await scene.minute())["NeededContainers"] == 3
    scene.found = Counts(160, 0, 0)
    assert (await scene.minute())["NeededContainers"] == 3, "though one would do now"
    scene.found = Counts(20, 0, 0)
    assert (await scene.minute())["NeededContainers"] == 2, "as long as there are messages for them"


async def test_what_has_been_measured_outweighs_what_was_expected_also_of_processes_that_have_left(
    scene: Scene,
) -> None:
    scene.living[0] |= {"runs": 100, "run_seconds": 20_000.0, "longest_run": 900.0}
    await scene.look(2)
    scene.living[0] = scene.process(99)
    scene.living[1] |= {"runs": 50, "run_seconds": 10_000.0, "longest_run": 300.0}
    await scene.minute()
    assert scene.estimate["seconds_per_message"] == (20_000 + 10_000 + 50 * 100) / 200


async def test_no_run_is_expected_to_take_longer_than_its_time_limit(tmp_path: Path, clock: FakeClock) -> None:
    clock.freeze_jump(0.4)
    limited = Scene(tmp_path, clock, expected_seconds=100.0, time_limit=120.0, deadline=time(23, 40))
    limited.found = Counts(0, 16, 0)
    await limited.minute()
    assert limited.estimate["empty_at"] - limited.clock.time() == pytest.approx(130, abs=2)


async def test_the_container_says_that_nothing_is_needed_after_two_counts_of_nothing_a_minute_apart(
    scene: Scene,
) -> None:
    scene.desired, scene.found = 4, Counts(1600, 0, 0)
    assert (await scene.minute())["NeededContainers"] == 4
    scene.found = Counts(0, 0, 0)
    assert (await scene.minute())["NeededContainers"] == 4, "counts lag"
    assert (await scene.minute())["NeededContainers"] == 0
    assert scene.estimate["verdict"] == "drained"
    scene.found = Counts(0, 1, 0)
    assert (await scene.minute())["NeededContainers"] == 1
    scene.found = Counts(0, 0, 0)
    assert (await scene.minute())["NeededContainers"] == 1


async def test_a_message_in_hand_here_is_one_whatever_the_counts_say(scene: Scene) -> None:
    scene.found = Counts(0, 0, 0)
    scene.living[3]["in_hand"] = {"m.1": {}}
    for _ in range(5):
        told = await scene.minute()
        assert (told["Backlog"], told["NeededContainers"]) == (1, 1)


async def test_what_is_drained_is_never_late(scene: Scene) -> None:
    scene.found = Counts(0, 0, 0)
    await scene.look(70 * 60)
    late = await scene.minute()
    assert late["SlackSeconds"] >= 0
    scene.found = Counts(1, 0, 0)
    assert (await scene.minute())["SlackSeconds"] < 0


async def test_a_queue_that_does_not_answer_leaves_its_gauges_out_and_the_fleet_as_it_is(scene: Scene) -> None:
    scene.found = EndpointConnectionError(endpoint_url="http://nowhere")
    told = await scene.minute()
    assert not told.keys() & {"Backlog", "NeededContainers", "SlackSeconds"}
    assert told["Processes"] == 16
    await scene.look(300)
    assert len(scene.log.named("not_counted")) == 1


async def test_while_nobody_knows_how_long_a_message_takes_those_that_there_are_stay(
    scene: Scene, tmp_path: Path, clock: FakeClock
) -> None:
    unknown = Scene(tmp_path, clock, expected_seconds=0, deadline=scene.gauges._settings.deadline)
    unknown.desired = 5
    told = await unknown.minute()
    assert told["NeededContainers"] == 5
    assert "SlackSeconds" not in told
    assert unknown.estimate["verdict"] == "unknown"
    unknown.found = Counts(17, 0, 0)
    assert (await unknown.minute())["NeededContainers"] == 2, "as far as there are messages for them"


async def test_without_a_deadline_there_is_no_slack_and_no_estimate(scene: Scene, clock: FakeClock) -> None:
    free = Scene(scene.folder / "other", clock)
    told = await free.minute()
    assert (told["Backlog"], told["NeededContainers"]) == (160, 1)
    assert "SlackSeconds" not in told
    assert estimate.read(free.folder, clock.time()) is None


async def test_a_service_that_is_not_heard_is_taken_for_this_container_alone(scene: Scene) -> None:
    scene.desired = None
    assert (await scene.minute())["NeededContainers"] == 1
    assert scene.estimate["desired_containers"] == 1


async def test_the_high_water_is_the_most_of_the_minute(scene: Scene) -> None:
    await scene.look(10)
    for life in scene.living:
        life["pss_mib"] = 45.0
    await scene.look(1)
    for life in scene.living:
        life["pss_mib"] = 25.0
    assert (await scene.minute())["MemoryHighWater"] == (16 * 45 + 2 * 50) / 10
    assert (await scene.minute())["MemoryHighWater"] == (16 * 25 + 2 * 50) / 10


async def test_where_none_are_published_the_estimate_is_kept_all_the_same(scene: Scene, clock: FakeClock) -> None:
    silent = Scene(scene.folder, clock, metrics="off", deadline=scene.gauges._settings.deadline)
    await silent.look()
    assert silent.log.named("gauges") == []
    assert silent.estimate["backlog"] == 160


async def test_an_old_estimate_is_none(scene: Scene) -> None:
    await scene.look()
    assert scene.estimate
    assert estimate.read(scene.folder, scene.clock.time() + 151) is None


@pytest.mark.parametrize("text", ["half of", "[1]", "null", "{}", '{"at": 1}', '{"at": "now"}', "[" * 100_000, "\xff"])
async def test_what_is_no_estimate_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "estimate").write_text(text, "latin-1")
    assert estimate.read(tmp_path, 1.0) is None


async def test_an_estimate_with_a_word_for_a_number_is_none(scene: Scene) -> None:
    await scene.look()
    found = {**scene.estimate, "deadline": "soon"}
    (scene.folder / "estimate").write_text(json.dumps(found))
    assert estimate.read(scene.folder, scene.clock.time()) is None

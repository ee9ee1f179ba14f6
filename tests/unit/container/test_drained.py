from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from consumer.container.drained import Drained
from consumer.message.queue import Counts
from unit.doubles import FakeLog, refusal

if TYPE_CHECKING:
    from consumer.testing import FakeClock

NOTHING = Counts(0, 0, 0)


class Scene:
    """Two processes and a queue, whose words about being empty are the test's own."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.log = clock, FakeLog()
        self.living: list[dict[str, Any]] = [self.process(), self.process()]
        self.found: Counts | Exception = NOTHING
        self.counted: list[float] = []
        self.left = 0
        self.drained = Drained(cast("Any", self), self, 60.0, clock, cast("Any", self.log), self.leave)

    def process(self, **facts: Any) -> dict[str, Any]:
        return {"state": "idle", "empty_receives": 3, "in_hand": {}, **facts}

    async def counts(self) -> Counts:
        self.counted.append(self.clock.monotonic() - 1000)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def leave(self) -> None:
        self.left += 1

    async def look(self, seconds: int) -> None:
        for _ in range(seconds):
            await self.drained()
            await self.clock.advance(1)


@pytest.fixture
def scene(clock: FakeClock) -> Scene:
    return Scene(clock)


async def test_the_container_leaves_once_when_two_counts_a_minute_apart_find_nothing(scene: Scene) -> None:
    await scene.look(60)
    assert scene.left == 0
    await scene.look(120)
    assert scene.left == 1
    assert scene.counted == [0, 60]
    assert scene.log.named("queue_empty")[0]["seconds"] == 60


@pytest.mark.parametrize(
    "process",
    [
        {"empty_receives": 2},
        {"in_hand": {"m.1": {}}, "state": "busy"},
        {"in_hand": {"m.1": {}}, "state": "quiet"},
        {"state": "starting", "empty_receives": 0},
    ],
)
async def test_a_process_that_may_have_work_keeps_the_container(scene: Scene, process: dict[str, Any]) -> None:
    scene.living[1] |= process
    await scene.look(600)
    assert not scene.left
    assert not scene.counted, "and the queue is not asked for nothing"


@pytest.mark.parametrize("found", [Counts(1, 0, 0), Counts(0, 1, 0), Counts(0, 0, 1)])
async def test_what_is_waiting_delayed_or_in_hand_elsewhere_keeps_the_container(scene: Scene, found: Counts) -> None:
    scene.found = found
    await scene.look(600)
    assert not scene.left
    assert len(scene.counted) == 40, "asked each 15 s"
    scene.found = NOTHING
    await scene.look(75)
    assert scene.left


async def test_a_message_between_the_counts_begins_it_again(scene: Scene) -> None:
    await scene.look(50)
    scene.living[0]["empty_receives"] = 0
    await scene.look(5)
    scene.living[0]["empty_receives"] = 3
    await scene.look(60)
    assert not scene.left
    await scene.look(1)
    assert scene.left


async def test_a_second_count_that_finds_something_begins_it_again(scene: Scene) -> None:
    await scene.look(60)
    scene.found = Counts(0, 0, 1)
    await scene.look(1)
    scene.found = NOTHING
    await scene.look(70)
    assert not scene.left
    await scene.look(10)
    assert scene.left


async def test_a_queue_that_is_not_counted_is_not_empty(scene: Scene) -> None:
    scene.found = refusal("AccessDenied")
    await scene.look(600)
    assert not scene.left
    assert scene.log.named("not_counted")


async def test_a_quiet_container_leaves_by_the_counts_alone(scene: Scene) -> None:
    scene.living = [scene.process(state="quiet", empty_receives=0)]
    await scene.look(61)
    assert scene.left


async def test_with_nobody_alive_nothing_is_known(scene: Scene) -> None:
    scene.living = []
    await scene.look(600)
    assert not scene.left

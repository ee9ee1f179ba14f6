"""When the platform is asked to spare this container, and when no more messages are taken."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import pytest

from consumer.container.duties import Duties
from consumer.container.ecs import BLOCKED, NO_SERVICE, Service, Task
from consumer.container.endpoint import Unanswered
from consumer.container.protection import Protection
from consumer.container.wanted import Wanted
from consumer.process import quiet
from consumer.process.stop import Stop
from unit.doubles import FakeLog, Inline

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.testing import FakeClock

OURS = Task("arn", "eu-west-1", "fleet", "drain", "consumer:7", stopping=False)
STEADY = Service(3, "consumer:7", deploying=False)


class Scene:
    """A container with one process; a platform whose words are the test's own."""

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.folder, self.clock, self.log = folder, clock, FakeLog()
        self.living: list[dict[str, Any]] = [{"in_hand": {}}]
        self.asked: list[tuple[float, int | None]] = []
        self.answer: str | Unanswered = ""
        self.found: Task | Unanswered = OURS
        self.wants: Service | Unanswered | None = STEADY
        self.services, self.longest = 0, 300.0
        self.begin()

    def begin(self) -> None:
        """Begin with an agent that knows of nothing."""
        self.wanted = Wanted(cast("Any", self), self.clock, cast("Any", self.log))
        self.protection = Protection(
            cast("Any", self),
            cast("Any", self),
            self.wanted,
            self.folder,
            self.clock,
            cast("Any", self.log),
            longest=self.longest,
        )

    def protect(self, minutes: int | None) -> str:
        self.asked.append((self.clock.monotonic() - 1000, minutes))
        answer: str = told(self.answer)
        return answer

    def task(self) -> Task:
        found: Task = told(self.found)
        return found

    def service(self, task: Task) -> Service | None:
        assert task == OURS
        self.services += 1
        wants: Service | None = told(self.wants)
        return wants

    def busy(self, *, of: int = 0) -> None:
        self.living[of]["in_hand"] = {"m.1": {}}

    def idle(self, *, of: int = 0) -> None:
        self.living[of]["in_hand"] = {}

    async def look(self, seconds: float = 1) -> None:
        for _ in range(int(seconds)):
            await self.wanted()
            await self.protection()
            self.clock.freeze_jump(1)

    @property
    def quiet(self) -> str | None:
        return quiet.reasons(self.folder).get("platform")


def told(answer: Any) -> Any:
    if isinstance(answer, Exception):
        raise answer
    return answer


@pytest.fixture
def scene(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr("consumer.container.wanted.Lane", Inline)
    monkeypatch.setattr("consumer.container.protection.Lane", Inline)
    return Scene(tmp_path, clock)


async def test_an_idle_container_asks_for_nothing(scene: Scene) -> None:
    await scene.look(600)
    assert scene.asked == []


async def test_the_first_message_is_protected_at_once_and_whoever_else_is_busy_changes_nothing(scene: Scene) -> None:
    scene.living.append({"in_hand": {}})
    await scene.look(30)
    scene.busy()
    await scene.look()
    assert scene.asked == [(30, 10)]
    scene.busy(of=1)
    await scene.look(20)
    scene.idle()
    await scene.look(20)
    assert scene.asked == [(30, 10)], "one process is still busy"
    scene.idle(of=1)
    await scene.look(60)
    assert scene.asked == [(30, 10), (80, None)], "given back once none has been for 10 s"


async def test_protection_is_renewed_while_there_is_work_long_before_it_ends(scene: Scene) -> None:
    scene.busy()
    await scene.look(200)
    assert scene.asked == [(0, 10), (60, 10), (120, 10), (180, 10)]


@pytest.mark.parametrize(("longest", "minutes"), [(60, 10), (480, 10), (910, 18), (7080, 120), (40_000, 120)])
async def test_what_is_received_just_before_a_refusal_can_take_its_time_limit(
    scene: Scene, longest: float, minutes: int
) -> None:
    scene.longest = longest
    scene.begin()
    scene.busy()
    await scene.look()
    assert scene.asked == [(0, minutes)]


async def test_a_container_between_two_messages_is_not_given_back_for_a_moment(scene: Scene) -> None:
    for _ in range(30):
        scene.busy()
        await scene.look(5)
        scene.idle()
        await scene.look(5)
    assert {minutes for _, minutes in scene.asked} == {10}


async def test_however_work_comes_and_goes_the_platform_is_asked_at_most_once_in_ten_seconds(scene: Scene) -> None:
    for length in (1, 12, 3, 11, 15, 2, 1, 14) * 20:
        scene.idle() if scene.living[0]["in_hand"] else scene.busy()
        await scene.look(length)
    times = [time for time, _ in scene.asked]
    assert len(times) > 20
    assert min(later - one for one, later in pairwise(times)) >= 10


async def test_what_is_not_answered_is_asked_again_less_and_less_often_and_said_once(scene: Scene) -> None:
    scene.answer = Unanswered("HTTP 400: ThrottlingException")
    scene.busy()
    await scene.look(300)
    assert [time for time, _ in scene.asked] == [0, 10, 30, 70, 130, 190, 250]
    assert len(scene.log.named("not_protected")) == 1
    assert scene.quiet is None, "nobody has said that the container is to go"
    scene.answer = ""
    await scene.look(50)
    assert [time for time, _ in scene.asked][7:] == [310]


async def test_a_container_that_is_to_go_takes_no_more_and_finishes_what_it_has(scene: Scene) -> None:
    scene.busy()
    await scene.look(200)
    scene.answer = BLOCKED
    await scene.look(200)
    assert scene.quiet == BLOCKED
    assert scene.log.named("not_wanted")[0]["why"] == BLOCKED
    scene.idle()
    await scene.look(30)
    assert scene.asked[-1][1] is None, "the protection that it had is given back"
    assert scene.quiet == BLOCKED


async def test_what_is_wanted_again_takes_messages_again(scene: Scene) -> None:
    scene.answer = BLOCKED
    scene.busy()
    await scene.look(1)
    scene.idle()
    await scene.look(200)
    assert [time for time, _ in scene.asked] == [0, 60, 120, 180], "asked each minute whether it still is refused"
    scene.answer = ""
    await scene.look(60)
    assert scene.quiet is None
    assert scene.log.named("wanted_again")
    await scene.look(30)
    assert scene.asked[-1][1] is None


async def test_a_task_without_a_service_is_told_apart_and_works_on(scene: Scene) -> None:
    scene.answer = NO_SERVICE
    scene.busy()
    await scene.look(600)
    assert scene.quiet is None
    assert [line["meanwhile"] for line in scene.log.named("not_protected")] == [
        "a task without a service is not scaled in"
    ]


@pytest.mark.parametrize(
    ("found", "wants", "why"),
    [
        (Task("arn", "eu-west-1", "fleet", "drain", "consumer:7", stopping=True), STEADY, "its task is to stop"),
        (OURS, Service(3, "consumer:8", deploying=True), "consumer:8 is deployed"),
        (OURS, Service(0, "consumer:7", deploying=False), "the service wants no container"),
    ],
)
async def test_no_more_is_taken_once_the_container_is_to_go_and_what_is_in_hand_has_the_rest_of_the_lease(
    scene: Scene, found: Task, wants: Service, why: str
) -> None:
    scene.busy()
    await scene.look(61)
    scene.found, scene.wants = found, wants
    await scene.look(70)
    assert scene.quiet == why
    renewed = len(scene.asked)
    await scene.look(4 * 3600)
    assert len(scene.asked) == renewed, "though it was granted, and would be again"
    scene.idle()
    await scene.look(600)
    assert [minutes for _, minutes in scene.asked[renewed:]] == [None], "given back for good"


async def test_what_was_received_before_the_word_to_go_is_protected_once(scene: Scene) -> None:
    scene.wants = Service(3, "consumer:8", deploying=True)
    await scene.look(5)
    scene.busy()
    await scene.look(600)
    assert scene.asked == [(5, 10)]


@pytest.mark.parametrize("wants", [Service(3, "consumer:8", deploying=True), Service(0, "consumer:7", deploying=False)])
async def test_a_container_that_is_wanted_again_goes_on_and_is_protected_anew(scene: Scene, wants: Service) -> None:
    scene.busy()
    await scene.look(61)
    scene.wants = wants
    await scene.look(1200)
    assert scene.quiet
    scene.wants, before = STEADY, len(scene.asked)
    await scene.look(70)
    assert scene.quiet is None
    await scene.look(60)
    assert {minutes for _, minutes in scene.asked[before:]} == {10}


async def test_what_is_refused_while_the_container_is_to_go_is_not_asked_for_again(scene: Scene) -> None:
    scene.busy()
    await scene.look(61)
    scene.answer = BLOCKED
    await scene.look(120)
    asked = len(scene.asked)
    await scene.look(120)
    assert len(scene.asked) == asked + 2, "each minute, whether the refusal is taken back"
    scene.wants = Service(0, "consumer:7", deploying=False)
    await scene.look(61)
    asked = len(scene.asked)
    await scene.look(600)
    assert len(scene.asked) == asked


async def test_a_deployment_that_is_rolled_back_has_the_container_work_again(scene: Scene) -> None:
    scene.wants = Service(3, "consumer:8", deploying=True)
    await scene.look(61)
    assert scene.quiet
    scene.wants = STEADY
    await scene.look(70)
    assert scene.quiet is None


async def test_protection_lasts_while_the_service_wants_containers_like_this_one(scene: Scene) -> None:
    scene.busy()
    await scene.look(5 * 3600)
    assert scene.quiet is None
    assert scene.wanted.desired == 3


@pytest.mark.parametrize("wants", [Unanswered("AccessDenied"), Service(3, "consumer:7", deploying=True)])
@pytest.mark.parametrize(("longest", "works", "ends"), [(300, 6600, 7200), (910, 6120, 7200), (40_000, 1800, 9000)])
async def test_without_such_a_word_protection_ends_after_two_hours_whatever_is_in_hand(
    scene: Scene, wants: Service | Unanswered, longest: float, works: int, ends: int
) -> None:
    scene.wants, scene.longest = wants, longest
    scene.begin()
    scene.busy()
    await scene.look(works)
    assert scene.quiet is None
    await scene.look(10)
    assert "has its turn" in (scene.quiet or "")
    await scene.look(4 * 3600)
    last, minutes = scene.asked[-1]
    assert last + 60 * (minutes or 0) <= ends, "it is not renewed any longer"


async def test_once_all_is_done_there_is_a_gap_and_then_two_hours_more(scene: Scene) -> None:
    scene.wants = Unanswered("AccessDenied")
    scene.busy()
    await scene.look(6900)
    scene.idle()
    await scene.look(10)
    assert scene.asked[-1][1] is None
    assert scene.quiet, "in the gap, too"
    await scene.look(11)
    assert scene.quiet is None
    scene.busy()
    await scene.look(6600)
    assert scene.quiet is None


async def test_the_number_that_the_service_wanted_is_not_believed_for_ever(scene: Scene) -> None:
    await scene.look(1)
    scene.wants = Service(0, "consumer:7", deploying=False)
    await scene.look(70)
    assert scene.wanted.desired == 0
    scene.wants = Unanswered("no route")
    await scene.look(500)
    assert scene.wanted.desired == 0
    await scene.look(200)
    assert scene.wanted.desired is None
    assert scene.quiet is None


async def test_a_new_agent_takes_over_what_the_one_before_it_has_said(scene: Scene) -> None:
    scene.answer = BLOCKED
    scene.busy()
    await scene.look(2)
    scene.idle()
    scene.begin()
    await scene.look(2)
    assert scene.quiet == BLOCKED
    scene.answer = ""
    await scene.look(60)
    assert scene.quiet is None


async def test_once_its_task_is_to_stop_an_idle_container_does_not_ask_whether_it_may_stay(scene: Scene) -> None:
    scene.answer = BLOCKED
    scene.busy()
    await scene.look(2)
    scene.idle()
    scene.answer, scene.found = "", Task("arn", "eu-west-1", "fleet", "drain", "consumer:7", stopping=True)
    await scene.look(300)
    assert len(scene.asked) == 1
    assert scene.quiet == "its task is to stop"


async def test_a_person_s_wish_is_left_alone(scene: Scene) -> None:
    quiet.begin(scene.folder)
    scene.answer = BLOCKED
    scene.busy()
    await scene.look(2)
    scene.answer = ""
    await scene.look(70)
    assert quiet.reasons(scene.folder) == {"person": ""}


async def test_the_service_is_asked_once_a_minute_and_where_there_is_none_nothing_is_said(scene: Scene) -> None:
    await scene.look(600)
    assert scene.services == 10
    scene.wants = None
    await scene.look(600)
    assert not scene.log.named("platform_not_heard")


async def test_a_service_that_does_not_answer_is_asked_more_and_more_seldom(scene: Scene) -> None:
    scene.wants = Unanswered("no route")
    await scene.look(3600)
    assert 8 <= scene.services <= 10
    assert len(scene.log.named("platform_not_heard")) == 1
    scene.wants = STEADY
    await scene.look(600)
    assert scene.wanted.desired == 3
    before = scene.services
    await scene.look(600)
    assert scene.services >= before + 9


async def test_a_platform_that_is_not_heard_is_said_once_and_leaves_things_as_they_are(scene: Scene) -> None:
    await scene.look(1)
    scene.found = Unanswered("it hangs")
    await scene.look(300)
    assert scene.wanted.desired == 3
    assert len(scene.log.named("platform_not_heard")) == 1
    assert scene.quiet is None


async def test_a_platform_that_hangs_keeps_no_other_duty_waiting(scene: Scene, clock: FakeClock) -> None:
    for lane in (scene.protection._lane, scene.wanted._lane):
        cast("Inline", lane).hangs = True
    passes = 0

    class Rescue:
        name = "rescue"

        async def __call__(self) -> None:
            nonlocal passes
            passes += 1

    scene.busy()
    stop = Stop(clock, 3)
    duties = Duties([scene.wanted, scene.protection, Rescue()], clock, stop, cast("Any", scene.log))
    running = asyncio.create_task(duties.run())
    await clock.advance(60)
    assert passes == 61
    stop.retire(stop.leaving)
    await clock.advance(5)
    assert running.done()

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from consumer.clock import Clock
from consumer.message.outcome import Done, LeftAlone, Reject, Release, Retry
from consumer.process.memory import Memory
from consumer.process.recycle import Recycle
from consumer.process.stop import Leaving
from consumer.testing import FakeClock
from unit.doubles import Living, living

if TYPE_CHECKING:
    from consumer.message.outcome import Outcome

FAILED = Retry(30)


class Book:
    """The books of one life, with memory as the test says: `readings` first, then the last of them for ever."""

    def __init__(self, clock: FakeClock, *, budget: float = 0, parent_pss: float = 0, **given: Any) -> None:
        self.clock = clock
        self.life: Living = living(clock, **{"limit": 0, "lifetime": 0, "jitter": 0, "memory_limit": 0, **given})
        self.readings: list[float] = [40.0]
        self.did: list[str] = []
        self.recycle = Recycle(
            self.life, read=self._read, trim=lambda: self.did.append("trim"), budget=budget, parent_pss=parent_pss
        )

    def _read(self) -> Memory:
        self.did.append("read")
        uss = self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]
        return Memory(uss, uss + 10, uss + 100)

    def handle(self, count: int, outcome: Outcome | None = None) -> None:
        for _ in range(count):
            self.recycle.record(outcome or Done())

    async def reason(self, after: float = 2) -> Leaving | None:
        await self.clock.advance(after)
        found = self.recycle.reason()
        return found and found[0]


async def test_without_limits_a_process_never_retires(clock: FakeClock) -> None:
    book = Book(clock)
    book.handle(1000, FAILED)
    assert await book.reason(1e6) is None
    assert book.did == []


async def test_a_process_retires_at_its_limit_of_messages(clock: FakeClock) -> None:
    book = Book(clock, limit=3)
    book.handle(2)
    assert await book.reason() is None
    book.handle(1)
    assert await book.reason() is Leaving.LIMIT
    assert book.recycle.handled == 3


async def test_a_process_retires_at_its_lifetime(clock: FakeClock) -> None:
    book = Book(clock, lifetime=100)
    assert await book.reason(99.9) is None
    assert await book.reason(0.1) is Leaving.LIFETIME


async def test_a_process_retires_after_failures_in_a_row(clock: FakeClock) -> None:
    book = Book(clock, failure_limit=3)
    book.handle(2, FAILED)
    book.handle(1)
    book.handle(2, FAILED)
    assert await book.reason() is None
    book.handle(1, Reject("x"))
    assert await book.reason() is Leaving.FAILURES


@pytest.mark.parametrize("outcome", [Retry(1, cause="asked"), Release(), LeftAlone()])
async def test_what_is_nobody_s_failure_neither_counts_nor_ends_a_row(clock: FakeClock, outcome: Outcome) -> None:
    book = Book(clock)
    book.handle(3, FAILED)
    book.handle(5, outcome)
    assert book.recycle.failures == 3
    assert book.recycle.handled == 8


async def test_no_process_retires_before_supervisord_takes_it_for_started(clock: FakeClock) -> None:
    book = Book(clock, lifetime=0.1, failure_limit=1)
    book.handle(1, FAILED)
    assert await book.reason(1.4) is None
    assert await book.reason(0.2) is Leaving.LIFETIME


async def test_a_limit_of_messages_is_kept_to_the_message_from_the_start(clock: FakeClock) -> None:
    book = Book(clock, limit=3, jitter=0)
    assert book.recycle.left(2) == 1
    book.handle(3, FAILED)
    assert book.recycle.left(0) == 0
    assert await book.reason(0) is Leaving.LIMIT
    assert book.recycle.too_young() == 1.5


@pytest.mark.parametrize(("dice", "at"), [(0, 100), (0.5, 90), (1, 80)])
async def test_jitter_draws_each_limit_downwards(dice: float, at: int) -> None:
    clock = FakeClock(dice)
    book = Book(clock, limit=100, jitter=0.2)
    book.handle(at - 1)
    assert await book.reason() is None
    book.handle(1)
    assert await book.reason() is Leaving.LIMIT
    clock = FakeClock(dice)
    book = Book(clock, lifetime=100, jitter=0.2)
    assert await book.reason(at - 0.5) is None
    assert await book.reason(0.5) is Leaving.LIFETIME


async def test_jitter_is_drawn_once_per_life(clock: FakeClock) -> None:
    clock.dice = 0
    book = Book(clock, limit=100, jitter=0.2)
    clock.dice = 1
    book.handle(99)
    assert await book.reason() is None


async def test_a_limit_of_one_message_survives_its_jitter() -> None:
    clock = FakeClock(1)
    book = Book(clock, limit=1, jitter=0.9)
    assert await book.reason() is None
    book.handle(1)
    assert await book.reason() is Leaving.LIMIT


async def test_processes_that_start_together_draw_different_limits() -> None:
    life = living(Clock(), limit=1000, jitter=0.2)
    drawn = {
        Recycle(life, read=lambda: Memory(1, 1, 1), trim=lambda: None, budget=0, parent_pss=0)._limit for _ in range(50)
    }
    assert len(drawn) > 20
    assert all(800 <= one <= 1000 for one in drawn)


async def test_memory_over_the_limit_in_two_readings_retires_a_process(clock: FakeClock) -> None:
    book = Book(clock, memory_limit=100)
    book.readings = [40, 99.9, 100]
    book.handle(3)
    assert await book.reason() is None
    assert book.did == ["read"]  # which fixes the limit too
    assert await book.reason() is None
    book.did.clear()
    assert await book.reason() is Leaving.MEMORY
    assert book.did == ["read", "trim", "read"]


async def test_memory_that_a_trim_gives_back_retires_nobody(clock: FakeClock) -> None:
    book = Book(clock, memory_limit=100)
    book.readings = [40, 200, 99]
    book.handle(3)
    assert await book.reason() is None
    assert await book.reason() is None
    assert book.did == ["read", "read", "trim", "read"]


async def test_memory_is_not_judged_before_a_process_is_warm_nor_more_than_once_a_second(clock: FakeClock) -> None:
    book = Book(clock, memory_limit=100)
    book.handle(2)
    assert await book.reason() is None
    assert book.did == []
    book.handle(1)
    assert await book.reason() is None
    book.did.clear()
    assert await book.reason(0.9) is None
    assert book.did == []
    assert await book.reason(0.1) is None
    assert book.did == ["read"]


async def test_a_limit_under_one_and_a_half_times_the_warm_memory_is_a_warning_and_never_a_restart_loop(
    clock: FakeClock,
) -> None:
    book = Book(clock, memory_limit=50)
    book.readings = [40, 59, 60]
    book.handle(3)
    assert await book.reason() is None
    (line,) = book.life.lines.named("memory_limit_too_low")
    assert "1.5 x the 40 MiB" in line["expected"]
    assert "50 MiB" in line["got"]
    assert "60 MiB is used" in line["meanwhile"]
    assert await book.reason() is None
    assert await book.reason() is Leaving.MEMORY
    assert len(book.life.lines.lines) == 1


async def test_jitter_does_not_draw_a_memory_limit_under_one_and_a_half_times_the_warm_memory() -> None:
    book = Book(FakeClock(1), memory_limit=62, jitter=0.5)
    book.readings = [40, 59, 60]
    book.handle(3)
    assert await book.reason() is None
    assert book.life.lines.lines == []
    assert await book.reason() is None
    assert await book.reason() is Leaving.MEMORY


async def test_the_automatic_limit_shares_what_the_container_has_left(clock: FakeClock) -> None:
    # 0.85 x 1000 - 50 of the parent - 4 x 50 of the warm ones = 600; 150 each on top of the warm 40
    book = Book(clock, memory_limit=-1, budget=1000, parent_pss=50, processes=4)
    book.readings = [40, 189.9, 190]
    book.handle(3)
    assert await book.reason() is None
    assert await book.reason() is None
    assert await book.reason() is Leaving.MEMORY


@pytest.mark.parametrize("dice", [0, 1])
async def test_the_automatic_limit_leaves_32_mib_at_least_whatever_the_jitter(dice: float) -> None:
    book = Book(FakeClock(dice), memory_limit=-1, budget=256, processes=16, jitter=0.5)
    book.readings = [40, 71.9, 72]
    book.handle(3)
    assert await book.reason() is None
    assert await book.reason() is None
    assert await book.reason() is Leaving.MEMORY


async def test_without_a_known_budget_the_automatic_limit_is_none(clock: FakeClock) -> None:
    book = Book(clock, memory_limit=-1)
    book.readings = [40, 1e6]
    book.handle(3)
    assert await book.reason() is None


async def test_memory_that_cannot_be_read_retires_nobody(clock: FakeClock) -> None:
    book = Book(clock, memory_limit=100)
    book.recycle._read = lambda: None
    book.handle(3)
    assert await book.reason() is None


async def test_failures_in_a_row_pause_the_process_from_five_seconds_doubling_to_a_minute(clock: FakeClock) -> None:
    book = Book(clock)
    pauses = []
    for _ in range(9):
        pauses.append(book.recycle.pause())
        book.handle(1, FAILED)
    assert pauses == [0, 0, 0, 5, 10, 20, 40, 60, 60]
    book.handle(1)
    assert book.recycle.pause() == 0


async def test_a_thousand_failures_still_pause_for_a_minute(clock: FakeClock) -> None:
    book = Book(clock)
    book.handle(5000, FAILED)
    assert book.recycle.pause() == 60


async def test_the_pause_can_be_turned_off(clock: FakeClock) -> None:
    book = Book(clock, failure_pause=0)
    book.handle(10, FAILED)
    assert book.recycle.pause() == 0

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, cast

import pytest

from consumer.process import memory
from consumer.process.beat import Beat
from consumer.process.memory import Memory
from consumer.process.stop import Leaving
from unit.doubles import Living, living

if TYPE_CHECKING:
    from consumer.testing import FakeClock


class Written:
    """A sink that only counts how often it is flushed."""

    flushed = 0

    def flush(self) -> bool:
        self.flushed += 1
        return True


@pytest.fixture
async def life(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Living:
    monkeypatch.setattr(memory, "measure", lambda: Memory(40.04, 50, 140))
    return living(clock)


async def test_a_process_beats_at_once_and_then_each_five_seconds(life: Living, clock: FakeClock) -> None:
    writes: list[float] = []
    write = life.sign.write

    def noted(**changes: object) -> None:
        writes.append(clock.monotonic())
        write(**changes)

    life.sign.write = noted  # type: ignore[method-assign]
    sink = Written()
    Beat(life, cast("Any", sink)).start()
    await clock.advance(20)
    assert writes == [1000, 1005, 1010, 1015, 1020]
    assert sink.flushed == 5  # lines that wait for a stalled log driver go out even when nothing more is logged
    assert (life.sign.facts["uss_mib"], life.sign.facts["rss_mib"]) == (40.0, 140)


async def test_memory_is_read_again_only_when_something_has_been_done(
    life: Living, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[float] = []

    def read() -> Memory:
        readings.append(clock.monotonic())
        return Memory(40, 50, 140)

    monkeypatch.setattr(memory, "measure", read)
    Beat(life, cast("Any", Written())).start()
    await clock.advance(60)
    assert readings == [1000]
    life.sign.facts["in_hand"]["m.1"] = {}
    await clock.advance(10)
    life.sign.facts["in_hand"].clear()
    life.sign.facts["handled"] = 1
    await clock.advance(60)
    assert readings == [1000, 1065, 1070, 1075], "each time during a message, and once after it"


async def test_a_short_pulse_timeout_has_at_least_four_beats(clock: FakeClock) -> None:
    assert Beat(living(clock, visibility_timeout=6), cast("Any", Written()))._every == pytest.approx(0.75)


async def test_memory_that_cannot_be_read_is_no_reason_to_seem_dead(
    life: Living, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "measure", lambda: None)
    Beat(life, cast("Any", Written())).start()
    await clock.advance(5)
    assert life.sign.states == ["starting"]
    assert len(life.lines.named("memory_unreadable")) == 2
    assert not life.stop.told


async def test_a_run_directory_that_is_gone_ends_the_process_with_its_name(life: Living, clock: FakeClock) -> None:
    Beat(life, cast("Any", Written())).start()
    await clock.advance(4)
    life.sign.trouble = FileNotFoundError("/run/consumer")
    await clock.advance(1)
    assert (life.stop.told, life.stop.leaving) == (True, Leaving.BROKEN)
    assert "/run/consumer" in life.stop.detail


async def test_a_run_directory_that_is_full_is_said_once_and_ends_no_process(life: Living, clock: FakeClock) -> None:
    Beat(life, cast("Any", Written())).start()
    life.sign.trouble = OSError(errno.ENOSPC, "No space left on device")
    await clock.advance(60)
    assert not life.stop.told
    assert len(life.lines.named("run_directory_full")) == 1
    life.sign.trouble = None
    await clock.advance(5)
    life.sign.trouble = OSError(errno.ENOSPC, "No space left on device")
    await clock.advance(5)
    assert len(life.lines.named("run_directory_full")) == 2

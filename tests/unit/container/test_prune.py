"""How often, and how much at a time, the agent prunes the ledger."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from consumer.clock import Clock
from consumer.container.duties import Duty
from consumer.container.prune import AGAIN, EVERY, Prune
from consumer.lane import Lane
from support.programs import wait_until
from unit.doubles import FakeLog, Inline

if TYPE_CHECKING:
    from consumer.testing import FakeClock


class Ledger:
    """A ledger with so many expired rows."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.batches: list[int] = []
        self.away = False

    def prune(self) -> tuple[int, bool]:
        if self.away:
            raise ConnectionError("the database is away")
        batch = min(1000, self.rows)
        self.rows -= batch
        self.batches.append(batch)
        return batch, batch == 1000


def duty(ledger: Ledger, clock: Clock, log: FakeLog, monkeypatch: pytest.MonkeyPatch) -> Prune:
    monkeypatch.setattr("consumer.container.prune.Lane", Inline)
    return Prune(ledger.prune, clock, cast("Any", log))


async def passes(prune: Prune, clock: FakeClock, seconds: int) -> None:
    for _ in range(seconds):
        await prune()
        await clock.advance(1)


async def test_a_batch_is_removed_every_few_minutes_and_not_each_second(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, log = Ledger(10), FakeLog()
    prune = duty(ledger, clock, log, monkeypatch)
    await passes(prune, clock, int(EVERY[0]))
    assert ledger.batches == [], "not at the start either: all containers may have started together"
    await passes(prune, clock, 3600)
    assert len(ledger.batches) == pytest.approx(3600 / (sum(EVERY) / 2), abs=1)
    assert log.named("pruned") == [{"level": "info", "event": "pruned", "rows": 10}]


async def test_containers_that_start_together_do_not_prune_together(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    due = {duty(Ledger(0), clock, FakeLog(), monkeypatch)._due for _ in range(10)}
    assert max(due) - min(due) > 1


async def test_a_backlog_is_removed_batch_by_batch_with_pauses(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(2500)
    prune = duty(ledger, clock, FakeLog(), monkeypatch)
    await passes(prune, clock, int(EVERY[1] + 2 * AGAIN[1]))
    assert ledger.batches == [1000, 1000, 500]


async def test_a_database_that_is_away_is_a_warning_and_asked_again_minutes_later(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, log = Ledger(10), FakeLog()
    ledger.away = True
    prune = duty(ledger, clock, log, monkeypatch)
    await passes(prune, clock, 700)
    assert len(log.named("not_pruned")) == 2
    ledger.away = False
    await passes(prune, clock, 400)
    assert ledger.batches


async def test_a_database_that_hangs_has_its_passes_skipped_and_no_more_threads(clock: FakeClock) -> None:
    release, log = threading.Event(), FakeLog()
    prune = Prune(lambda: (int(release.wait(30)), False), clock, cast("Any", log))
    assert isinstance(prune._lane, Lane)
    await clock.advance(EVERY[1])
    hanging = Duty(prune, clock, cast("Any", log))
    first = hanging.begin()
    for _ in range(5):
        await clock.advance(1)
        assert hanging.begin() is first
    assert hanging.skipped == 5
    assert log.named("duty_late")
    assert wait_until(lambda: [one.name for one in threading.enumerate()].count("prune-1") == 1, "one thread")
    release.set()
    await first

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ConnectTimeoutError

from consumer.limits import VISIBILITY_MAX
from consumer.message.lease import Lease
from unit.doubles import FakeQueue, message, refusal

if TYPE_CHECKING:
    from consumer.testing import FakeClock

AWAY = ConnectTimeoutError(endpoint_url="https://sqs")


class Watched(Lease):
    """A lease of 90 s, renewed each 30 s, that notes what it tells."""

    def __init__(self, clock: FakeClock, heartbeat: float = 30) -> None:
        self.queue = FakeQueue(clock)
        self.told: list[bool] = []
        super().__init__(
            message(),
            self.queue,
            clock,
            visibility=90,
            heartbeat=heartbeat,
            changed=lambda lease: self.told.append(lease.lost),
        )

    @property
    def renewals(self) -> list[str]:
        return [call for call in self.queue.journal if call.startswith("extend")]


async def test_a_lease_is_renewed_at_each_heartbeat_for_its_whole_length(clock: FakeClock) -> None:
    async with Watched(clock) as lease:
        await clock.advance(29.9)
        assert lease.renewals == []
        await clock.advance(0.2)
        assert lease.renewals == ["extend m1 90"]
        await clock.advance(60)
        assert lease.renewals == ["extend m1 90"] * 3
    assert lease.told == [False] * 3


async def test_a_lease_outlives_a_handler_of_ten_visibility_timeouts(clock: FakeClock) -> None:
    async with Watched(clock) as lease:
        for _ in range(180):
            await clock.advance(5)
            assert not lease.lost
            assert lease.until - clock.monotonic() >= 60
        assert lease.remaining == math.inf


@pytest.mark.parametrize("code", ["ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"])
async def test_a_refused_renewal_is_a_lost_lease_and_is_told_at_once(clock: FakeClock, code: str) -> None:
    async with Watched(clock) as lease:
        lease.queue.troubles["extend"] = [refusal(code)]
        await clock.advance(30)
        assert lease.lost
        assert lease.refused == code
        assert lease.told == [True]
        assert lease.remaining == 0
        await clock.advance(300)
        assert len(lease.renewals) == 1


async def test_a_renewal_that_fails_is_tried_again_sooner_than_at_the_next_heartbeat(clock: FakeClock) -> None:
    async with Watched(clock) as lease:
        lease.queue.troubles["extend"] = [AWAY, AWAY]
        await clock.advance(30)
        assert lease.remaining == 60
        await clock.advance(10.1)
        assert len(lease.renewals) == 3
        assert not lease.lost
        assert lease.remaining == math.inf


async def test_a_lease_is_lost_only_after_a_whole_visibility_timeout_without_a_renewal(clock: FakeClock) -> None:
    async with Watched(clock) as lease:
        await clock.advance(30)
        lease.queue.troubles["extend"] = [refusal("ServiceUnavailable")] * 100
        await clock.advance(89.9)
        assert not lease.lost
        assert True not in lease.told
        await clock.advance(0.1)
        assert lease.lost
        assert lease.told[-1]


async def test_access_denied_costs_a_lease_only_when_its_time_is_over(clock: FakeClock) -> None:
    async with Watched(clock) as lease:
        lease.queue.troubles["extend"] = [refusal("AccessDenied"), RuntimeError("a fault of ours")]
        await clock.advance(60)
        assert not lease.lost
        assert lease.remaining == math.inf


async def test_a_lease_counts_from_when_its_renewal_was_asked_for(clock: FakeClock) -> None:
    async with Watched(clock) as lease:
        asked = clock.monotonic() + 30
        lease.queue.gates["extend"] = asyncio.Event()
        await clock.advance(50)
        lease.queue.gates["extend"].set()
        await clock.advance(0)
        assert lease.until == asked + 90


async def test_a_lease_that_ran_out_during_its_renewal_stays_lost(clock: FakeClock) -> None:
    async with Watched(clock) as lease:
        lease.queue.gates["extend"] = asyncio.Event()
        await clock.advance(95)
        assert lease.told == [True]
        lease.queue.gates["extend"].set()
        await clock.advance(1)
        assert lease.lost


async def test_after_stop_no_renewal_can_follow(clock: FakeClock) -> None:
    lease = Watched(clock)
    async with lease:
        await clock.advance(40)
    await clock.advance(1000)
    assert len(lease.renewals) == 1
    assert lease.told == [False]


async def test_stop_waits_for_a_renewal_under_way(clock: FakeClock) -> None:
    lease = Watched(clock)
    gate = lease.queue.gates["extend"] = asyncio.Event()
    await lease.__aenter__()
    await clock.advance(31)
    stopping = asyncio.ensure_future(lease.stop())
    await clock.advance(20)
    assert not stopping.done()
    gate.set()
    await stopping
    await clock.advance(1000)
    assert len(lease.renewals) == 1


async def test_a_renewal_that_fails_while_stop_waits_is_not_tried_again(clock: FakeClock) -> None:
    lease = Watched(clock)
    gate = lease.queue.gates["extend"] = asyncio.Event()
    lease.queue.troubles["extend"] = [AWAY]
    await lease.__aenter__()
    await clock.advance(31)
    stopping = asyncio.ensure_future(lease.stop())
    await clock.rest()
    gate.set()
    await stopping
    await clock.advance(60)
    assert len(lease.renewals) == 1


async def test_a_process_frozen_past_its_lease_sees_it_lost_before_any_timer_runs(clock: FakeClock) -> None:
    async with Watched(clock) as lease:
        await clock.advance(10)
        clock.freeze_jump(79.9)
        assert not lease.lost
        clock.freeze_jump(0.1)
        assert lease.lost
        await clock.advance(0)
        assert lease.renewals == []  # it is too late, and might take the message from its new owner
        assert lease.told == [True]


async def test_a_lease_never_asks_for_more_than_the_twelve_hours_of_sqs_nor_for_none(clock: FakeClock) -> None:
    asked: list[tuple[float, float]] = []

    class Queue(FakeQueue):
        async def extend(self, message: object, seconds: float) -> None:
            del message
            asked.append((clock.monotonic() - began, seconds))

    began = clock.monotonic()
    lease = Lease(message(), Queue(clock), clock, visibility=1000, heartbeat=333.3)
    async with lease:
        await clock.advance(VISIBILITY_MAX - 10)
        assert not lease.lost
        await clock.advance(20)
        assert lease.lost
    assert all(when + math.ceil(seconds) <= VISIBILITY_MAX - 1 for when, seconds in asked)
    assert all(seconds >= 1 for _, seconds in asked)

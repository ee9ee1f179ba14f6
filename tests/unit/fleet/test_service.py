"""ECS, as far as a rehearsal has it: what is started, stopped, protected and billed."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from consumer import clock, limits
from consumer.fleet.planning.workload import BETWEEN
from consumer.fleet.rehearsal import queue
from consumer.fleet.rehearsal.durations import Between
from consumer.fleet.rehearsal.events import Events
from consumer.fleet.rehearsal.faults import Faults
from consumer.fleet.rehearsal.platform import Platform
from consumer.fleet.rehearsal.queue import Work
from consumer.fleet.rehearsal.service import ENDING, Service
from support.rehearsals import DEPLOYED

PLATFORM = Platform(start=(60.0, 60.0))


class Rig:
    """A service with four slots in a container, and a queue whose messages all take as long."""

    def __init__(self, seconds: float = 100.0, faults: Faults | None = None, **deployed: Any) -> None:
        self.events = Events(0.0)
        rolled = partial(clock.dice, 1)
        self.work = Work(self.events, Between(seconds, seconds, seconds), faults or Faults(), rolled)
        shape = replace(DEPLOYED, slots=4, **deployed)
        self.service = Service(self.events, self.work, PLATFORM, rolled("platform"), shape)

    def until(self, when: float) -> None:
        """Let time pass, without any look or minute."""
        self.events.at(when, self.events.stop)
        self.events.run()

    def have(self, count: int) -> None:
        """Want so many containers, and let them start."""
        self.service.want(count)
        self.service.look()
        self.until(self.events.now + 60)

    def minutes(self, count: int) -> None:
        """Let minutes pass, with the agents' duties and a look in each."""
        for _ in range(count):
            self.until(self.events.now + 60)
            self.service.minute()
            self.service.look()


def test_no_more_is_handed_out_than_sqs_lets_be_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "IN_FLIGHT", 6)
    rig = Rig()
    rig.have(2)
    rig.work.arrive(20)
    assert (rig.work.hidden, rig.work.visible) == (6, 14)
    rig.until(rig.events.now + 150)
    assert rig.work.succeeded == rig.work.hidden == 6  # who ends one takes the next


def test_where_one_who_ends_takes_no_more_another_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "IN_FLIGHT", 4)
    rig = Rig()
    rig.have(1)
    rig.work.arrive(20)
    rig.have(2)
    assert [one.busy for one in rig.service.live] == [4, 0]
    rig.work.close(rig.service.live[0])
    rig.until(rig.events.now + 60)
    assert [one.busy for one in rig.service.live] == [0, 4]


def test_a_container_takes_messages_once_it_has_started() -> None:
    rig = Rig()
    rig.service.want(1)
    rig.service.look()
    rig.work.arrive(10)
    rig.until(59)
    assert rig.work.visible == 10
    rig.until(61)
    assert rig.work.visible == 6


def test_what_is_idle_is_stopped_and_what_is_busy_is_not() -> None:
    rig = Rig()
    rig.have(3)
    rig.work.arrive(1)
    rig.service.want(0)
    rig.service.look()
    assert sorted((one.busy, one.leaving) for one in rig.service.live) == [(0, True), (0, True), (1, False)]
    rig.until(169)
    rig.service.look()
    assert any(not one.leaving for one in rig.service.live), "it is protected for some seconds more"
    rig.until(171)
    rig.service.look()
    rig.until(171 + limits.WAIT_TIME + ENDING)
    assert not rig.service.live
    assert rig.work.succeeded == 1


def test_protection_lasts_while_messages_come_with_short_gaps() -> None:
    rig = Rig(seconds=20)
    rig.have(1)
    rig.work.arrive(1)
    rig.until(89)
    rig.work.arrive(1)
    rig.until(91)
    rig.service.want(0)
    rig.service.look()
    assert not rig.service.live[0].leaving


def test_what_is_stopped_while_idle_awaits_its_last_poll_and_is_paid_for_it() -> None:
    rig = Rig()
    rig.have(100)
    rig.until(120)
    rig.service.want(0)
    rig.service.look()
    rig.work.arrive(1)
    rig.until(120 + limits.WAIT_TIME + ENDING)
    assert not rig.service.live
    assert rig.work.visible == 1, "and it takes nothing meanwhile"
    lasting = rig.service.bill.seconds / 100 - (120 - 18)
    assert lasting == pytest.approx(ENDING + limits.WAIT_TIME * 4 / 5, rel=0.1)  # the last of four polls, on average


def test_what_takes_nothing_has_no_poll_to_await() -> None:
    rig = Rig(seconds=100)
    rig.have(2)
    rig.service.desired = 1
    rig.work.arrive(8)  # one of the two is refused its protection
    rig.until(170)
    rig.service.look()
    rig.until(170 + ENDING)
    assert len(rig.service.live) == 1


def test_what_has_not_started_is_stopped_first_and_never_takes_anything() -> None:
    rig = Rig()
    rig.have(1)
    rig.service.want(2)
    rig.service.look()
    rig.service.want(1)
    rig.service.look()
    assert [one.ready for one in rig.service.live] == [True]
    rig.until(500)
    assert len(rig.service.live) == 1


def test_more_protected_than_wanted_is_refused_and_takes_no_more() -> None:
    rig = Rig()
    rig.have(2)
    rig.service.desired = 1
    rig.work.arrive(8)
    assert sorted(one.quiet for one in rig.service.live) == ["", "blocked"]
    blocked = next(one for one in rig.service.live if one.quiet)
    assert blocked.busy == 1
    assert rig.work.visible == 3
    rig.service.look()
    assert blocked.leaving


def test_where_one_is_refused_the_others_take_no_more_than_they_have_slots() -> None:
    rig = Rig()
    rig.have(2)
    rig.service.desired = 1
    rig.work.arrive(8)
    rig.work.arrive(8)
    assert sorted(one.busy for one in rig.service.live) == [1, 4]
    assert rig.work.visible == 11


def test_a_refusal_ends_when_more_are_wanted_again() -> None:
    rig = Rig()
    rig.have(2)
    rig.service.desired = 1
    rig.work.arrive(8)
    rig.service.desired = 2
    rig.service.minute()
    assert [one.quiet for one in rig.service.live] == ["", ""]
    assert rig.work.visible == 0


@pytest.mark.parametrize(("limit", "minutes"), [(910, 18), (1810, 33), (11, 10), (39_610, 120)])
def test_a_protection_that_is_not_renewed_ends_with_its_lease(limit: float, minutes: int) -> None:
    """As many minutes as container/protection.py asks for."""
    asked = math.ceil((limit + 2 * limits.RENEW) / 60)
    assert minutes == min(limits.LEASE_MOST, max(limits.LEASE_LEAST, asked))
    rig = Rig(seconds=10_000, time_limit=limit - limits.GRACE)
    rig.have(2)
    rig.work.arrive(8)
    rig.service.want(1)
    rig.minutes(minutes - 1)
    assert not any(one.leaving for one in rig.service.live)
    rig.minutes(2)
    assert sum(one.leaving for one in rig.service.live) == 1


def test_what_the_drain_has_no_time_for_is_visible_at_once_and_runs_again() -> None:
    rig = Rig(seconds=100, base=0, spot=1.0)
    rig.have(1)
    rig.work.arrive(4)
    rig.service.interrupt()
    rig.until(60 + 94)
    assert rig.work.visible == 0
    rig.until(60 + 96)
    assert (rig.work.visible, rig.work.interrupted, rig.service.live) == (4, 4, [])
    rig.have(1)
    rig.until(400)
    assert rig.work.succeeded == 4


@pytest.mark.parametrize("fault", ["failing", "crashing"])
def test_what_is_in_hand_is_given_back_however_it_would_have_ended(fault: str) -> None:
    rig = Rig(seconds=10_000, faults=Faults(**{fault: 1.0}), spot=1.0)
    rig.have(1)
    rig.work.arrive(4)
    rig.service.interrupt()
    rig.until(60 + 96)
    assert (rig.work.visible, rig.work.hidden, rig.work.interrupted) == (4, 0, 4)


def test_a_container_that_is_told_to_stop_leaves_when_it_is_done() -> None:
    rig = Rig(seconds=50, spot=1.0)
    rig.have(1)
    rig.work.arrive(1)
    rig.service.interrupt()
    rig.until(60 + 51)
    assert not rig.service.live
    assert rig.service.bill.spot == 50 + 1 + 60 - 18  # rounded up; from the pull of the image


def test_a_container_is_billed_for_a_minute_at_least_and_not_before_the_pull() -> None:
    rig = Rig()
    rig.service.want(1)
    rig.service.look()
    rig.service.want(0)
    rig.service.look()
    assert rig.service.bill.seconds == 0  # it was stopped before its image was pulled
    rig.service.want(1)
    rig.service.look()
    rig.until(30)
    rig.service.want(0)
    rig.service.look()
    assert rig.service.bill.on_demand == 60


@pytest.mark.parametrize(("base", "share", "spots"), [(0, 1.0, 8), (0, 0.0, 0), (2, 0.5, 3), (1, 1.0, 7), (9, 1.0, 0)])
def test_the_base_is_never_spot_and_of_the_others_a_share(base: int, share: float, spots: int) -> None:
    rig = Rig(base=base, spot=share)
    rig.have(8)
    assert sum(one.spot for one in rig.service.live) == spots


def test_a_hundred_start_at_once_and_then_twenty_a_second() -> None:
    rig = Rig()
    rig.have(140)
    assert len(rig.service.running) == 101
    rig.until(61.0)
    assert len(rig.service.running) == 121
    rig.until(62.0)
    assert len(rig.service.running) == 140


def test_a_deployment_starts_new_ones_before_the_old_ones_go() -> None:
    rig = Rig()
    rig.have(2)
    rig.work.arrive(100)
    rig.service.deploy()
    rig.service.look()
    assert len(rig.service.live) == 4
    rig.service.minute()  # the old ones see it, and take no more
    rig.service.want(0)
    assert rig.service.desired == 2  # nothing is scaled in meanwhile
    rig.minutes(3)
    assert len(rig.service.live) == 2
    assert not any(one.revision == 0 for one in rig.service.live)
    assert rig.work.interrupted == 0


def test_a_slot_takes_the_next_message_as_soon_as_it_is_free() -> None:
    rig = Rig(seconds=10)
    rig.have(1)
    rig.work.arrive(100)
    rig.until(60 + 5 * (10 + BETWEEN) + 1)
    assert rig.work.succeeded == 20

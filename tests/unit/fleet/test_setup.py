"""What is rehearsed is what the template deploys; other rules keep its containers, and its day."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consumer.fleet.cloud import template
from consumer.fleet.cloud.scaling import TargetTracking
from consumer.fleet.rehearsal import hard, policies, setup
from consumer.fleet.rehearsal.days import Kind, summary
from support.plans import TOKYO
from support.rehearsals import DEADLINE, HOUR, OPENS, scene

OURS = setup.of(
    template.read(
        Cpu=1024, Memory=2048, Processes=16, OpenContainers=1, MaxContainers=10, SpotWeight=1, TimeZone="Asia/Tokyo"
    ), TOKYO,
)  # fmt: skip


def with_most(count: int) -> setup.Setup:
    """The same with another maximum, as people would deploy it."""
    return setup.of(
        template.read(
            Processes=16, Concurrency=1, TimeZone="Asia/Tokyo", OnDemandBase=1, SpotWeight=1, MaxContainers=count
        ),
        TOKYO,
    )


def test_the_container_is_the_template_s() -> None:
    deployed = OURS.deployed
    assert (deployed.slots, deployed.most, deployed.base, deployed.spot) == (16, 10, 1, 0.5)
    assert deployed.drain == 95.0
    assert deployed.expected == 165.0
    assert 0 < deployed.spot_price < deployed.on_demand < 1e-4


def test_the_rules_are_the_template_s_and_so_are_its_warnings() -> None:
    assert {policy.name for policy in OURS.policies} == {"follow", "drained", "wake"}
    assert len(OURS.warnings) == 2
    assert all(name.endswith(("late", "at-risk")) for name in OURS.warnings)


def test_the_template_makes_the_deadline_close_to_the_least() -> None:
    kind = Kind(OURS, scene(), spread=0.3)
    days = [kind.play(number) for number in range(4)]
    found = summary(days, OPENS + 900)
    assert (found.made, found.feasible, found.missed) == (4, 4, 0)
    assert found.over_bound_median < 1.08


def test_a_drained_fleet_wakes_when_messages_come_after_all() -> None:
    late = replace(scene().arrivals, at=OPENS + HOUR, count=100)  # type: ignore[type-var]
    day = Kind(OURS, replace(scene(), arrivals=late)).play(0)
    assert day.started == 2  # one opened, found nothing and went
    assert day.deadline_made


def test_what_is_left_when_the_fleet_closes_is_not_worked_on() -> None:
    day = Kind(OURS, scene(40_000)).play(0)
    assert day.finish is None
    assert day.warned is not None
    assert day.interrupted == 0
    assert day.succeeded < 40_000


def test_where_the_most_are_too_few_people_are_told_in_time_how_many_would_do() -> None:
    kind = Kind(OURS, scene(20_000))
    day = kind.play(0)
    assert not day.feasible
    assert day.warned is not None
    assert day.warned < OPENS + 900
    assert day.asked > OURS.deployed.most
    assert Kind(with_most(day.asked), scene(20_000)).play(0).deadline_made
    found = summary([day], OPENS + 900)
    assert (found.made, found.told, found.rang, found.asked) == (0, 1, 0, day.asked)


def test_people_who_answer_the_alarm_save_the_deadline() -> None:
    day = Kind(OURS, scene(20_000, raised=900.0)).play(0)
    assert not Kind(OURS, scene(20_000)).play(0).deadline_made
    assert day.deadline_made
    assert day.peak_containers > OURS.deployed.most
    assert day.interrupted == 0
    assert summary([day], OPENS + 900).rang == 1


def test_a_day_is_over_when_nothing_may_run_any_more() -> None:
    day = Kind(OURS, scene(200_000), keep=True).play(0)
    assert day.timeline[-1].now < DEADLINE + 2 * HOUR
    assert day.timeline[-1].backlog > 0


def test_a_deployment_puts_the_template_s_bounds_in_force() -> None:
    rules = OURS.rules()
    rules.scaler.target = replace(rules.scaler.target, minimum=3, maximum=3)
    rules.apply_again()
    assert (rules.scaler.target.minimum, rules.scaler.target.maximum) == (0, 10)


def test_other_rules_keep_the_container_and_the_day() -> None:
    others = policies.others(OURS, scene())
    assert len({one.name for one in others}) == len(others) == 4
    assert all(one.deployed is OURS.deployed for one in others)
    assert [type(one.policies[0]) for one in others[1:]] == [TargetTracking] * 3


def test_a_fixed_fleet_runs_for_the_whole_window() -> None:
    fixed = policies.fixed(OURS, scene())
    day = Kind(fixed, scene()).play(0)
    assert day.peak_containers == day.started == 2
    assert day.container_seconds == pytest.approx(2 * (DEADLINE - OPENS + 300), rel=0.02)


def test_the_processors_know_nothing_of_a_backlog() -> None:
    day = Kind(policies.cpu(OURS, scene()), scene()).play(0)
    assert day.peak_containers == 1
    assert not day.deadline_made


def test_other_rules_may_go_to_zero_as_ours_may() -> None:
    day = Kind(policies.backlog_per_task(OURS, scene(), HOUR), scene(), keep=True).play(0)
    assert day.deadline_made
    assert day.timeline[-1].now < DEADLINE - HOUR


@pytest.mark.parametrize(("name", "harder"), hard.HARD, ids=[name for name, _ in hard.HARD])
def test_a_hard_day_is_made_or_people_are_told_in_time(name: str, harder: hard.Harder) -> None:
    ours, where = harder(OURS, scene())
    day = Kind(ours, where).play(0)
    assert day.deadline_made or (day.warned is not None and day.warned <= OPENS + 900), name


def test_the_same_days_come_under_all_rules() -> None:
    one, other = (Kind(rules, scene(), spread=0.3) for rules in (OURS, policies.fixed(OURS, scene())))
    first, second = [one.play(n) for n in range(3)], [other.play(n) for n in range(3)]
    assert [day.messages for day in first] == [day.messages for day in second]
    assert len({day.messages for day in first}) == 3
    assert [day.lower_bound_seconds for day in first] == [day.lower_bound_seconds for day in second]


def test_a_summary_counts_what_was_feasible_and_missed_and_told() -> None:
    made, missed = (Kind(OURS, scene(count)).play(0) for count in (100, 40_000))
    told = replace(missed, warned=OPENS + 900)
    late = replace(missed, warned=OPENS + 901, feasible=True)
    found = summary([made, told, late], OPENS + 900)
    assert (found.days, found.made, found.feasible, found.missed, found.told) == (3, 1, 2, 1, 1)
    assert found.finish_latest == made.finish


def test_a_fleet_that_needs_a_little_more_does_not_go_up_and_down_each_minute() -> None:
    days = [Kind(OURS, scene(count)).play(0) for count in range(1600, 1800, 20)]
    assert {day.peak_containers for day in days} == {1, 2}  # among these are the days on which one is only just enough
    assert all(day.started == day.peak_containers for day in days)

"""What is rehearsed is what the template deploys; other rules keep its containers, and its day."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from consumer.errors import TemplateError
from consumer.fleet.cloud import template
from consumer.fleet.cloud.metricmath import Query, Source
from consumer.fleet.cloud.scaling import Target, TargetTracking
from consumer.fleet.planning.workload import HOUR
from consumer.fleet.rehearsal import hard, policies, subject
from consumer.fleet.rehearsal.days import Kind, summary
from support.plans import TOKYO
from support.rehearsals import DEADLINE, OPENS, scene

if TYPE_CHECKING:
    from consumer.fleet.rehearsal.day import Day

OURS = subject.of(
    template.read(
        Cpu=1024, Memory=2048, Processes=16, OpenContainers=1, MaxContainers=10, SpotWeight=1, TimeZone="Asia/Tokyo"
    ), TOKYO,
)  # fmt: skip


def with_most(count: int) -> subject.Setup:
    """The same with another maximum, as people would deploy it."""
    return subject.of(
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
    assert {policy.name for policy in OURS.deployment.policies} == {"follow", "drained", "wake"}
    endings = {alarm.name.removeprefix("consumer-") for alarm in OURS.deployment.alarms}
    assert endings == {"follow", "drained", "wake", "late", "at-risk"}


def test_the_template_makes_the_deadline_close_to_the_least() -> None:
    kind = Kind(OURS, scene(), spread=0.3)
    days = [kind.play(number) for number in range(4)]
    found = summary(days, OPENS + 900)
    assert (found.made, found.feasible, found.missed) == (4, 4, 0)
    assert found.over_bound_median is not None
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
    rules = replace(OURS, deployment=replace(OURS.deployment, target=Target(2, 7))).rules(OPENS)
    assert rules.closed
    rules.apply_again()
    assert rules.scaler.target == Target(2, 7, desired=2)


def rehearsed(start: float = OPENS, **parameters: object) -> tuple[subject.Rules, Day]:
    """The rules of a template at the beginning of a day, and the usual day under them."""
    ours = subject.of(template.read(Processes=16, MaxContainers=10, **parameters), TOKYO)
    return ours.rules(start), Kind(ours, scene(), keep=True).play(0)


def test_a_day_begins_with_what_yesterday_s_schedules_have_left() -> None:
    rules, day = rehearsed(OpenTime="08:30", FreeTime="08:45")
    assert (rules.scaler.target.minimum, rules.scaler.target.maximum) == (0, 0)
    assert not any(one.running for one in day.timeline if one.now < 8.5 * HOUR)
    assert not day.deadline_made


def test_a_fleet_that_was_never_closed_is_open_when_the_day_begins() -> None:
    rules, day = rehearsed(OpenTime="12:00", FreeTime="12:15", CloseTime="09:30")  # from noon until the next morning
    assert (rules.scaler.target.minimum, rules.scaler.target.maximum) == (0, 10)
    assert rules.begin == OPENS - HOUR
    assert day.deadline_made  # the alarm `wake` has seen to it


def test_a_day_begins_with_the_schedule_that_opens_the_fleet_for_it() -> None:
    rules, day = rehearsed(OpenTime="01:00", FreeTime="04:15", OpenContainers=3)
    usual, _ = rehearsed(OpenContainers=3)
    assert (rules.begin, usual.begin) == (HOUR, OPENS - HOUR)
    assert (rules.scaler.target.maximum, usual.scaler.target.maximum) == (0, 0)
    assert max(one.running for one in day.timeline if one.now < 2 * HOUR) == 3


def test_without_schedules_the_template_s_bounds_are_in_force() -> None:
    plain = replace(OURS, deployment=replace(OURS.deployment, schedules=(), target=Target(2, 7)))
    day = Kind(plain, scene(), keep=True).play(0)
    assert plain.rules(OPENS).scaler.target == Target(2, 7)
    assert day.timeline[5].running == 2


def test_what_would_be_read_as_silence_is_refused() -> None:
    whole = template.read()
    latency = Source("Consumer", "SecondsPerMessage", (), "Average")
    percentile = Source("Consumer", "NeededContainers", (), "p99")
    for source, name in ((latency, "SecondsPerMessage"), (percentile, "p99 of Consumer NeededContainers")):
        tracking = TargetTracking("slow", (Query("m", source),), 60.0)
        with pytest.raises(TemplateError, match=f"slow: .*{name} is not rehearsed"):
            subject.of(replace(whole, policies=(*whole.policies, tracking)), TOKYO)
        alarm = replace(whole.alarms[0], name="mine-late", queries=(Query("m", source),), actions=())
        with pytest.raises(TemplateError, match="mine-late: "):
            subject.of(replace(whole, alarms=(*whole.alarms, alarm)), TOKYO)


def test_other_rules_keep_the_container_and_the_day() -> None:
    others = policies.others(OURS, scene())
    assert len({one.name for one in others}) == len(others) == 4
    assert all(one.deployed is OURS.deployed for one in others)
    assert [type(one.deployment.policies[0]) for one in others[1:]] == [TargetTracking] * 3


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


def test_other_rules_may_go_to_zero_before_a_near_deadline_as_ours_may() -> None:
    opened, free, closed = policies.cpu(OURS, replace(scene(), deadline=OPENS + 600)).deployment.schedules
    assert [one.cron for one in (opened, free, closed)] == [f"cron({at} * * ? *)" for at in ("57 3", "9 4", "10 4")]


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
    assert found.done == 1
    assert found.over_bound_median == found.over_bound_p99 == made.over_bound


def test_where_no_day_was_done_there_is_no_ratio() -> None:
    found = summary([Kind(OURS, scene(200_000)).play(0)], OPENS + 900)
    assert (found.done, found.over_bound_median, found.over_bound_p99, found.finish_median) == (0, None, None, None)


def test_a_fleet_that_needs_a_little_more_does_not_go_up_and_down_each_minute() -> None:
    days = [Kind(OURS, scene(count)).play(0) for count in range(1600, 1800, 20)]
    assert {day.peak_containers for day in days} == {1, 2}  # among these are the days on which one is only just enough
    assert all(day.started == day.peak_containers for day in days)

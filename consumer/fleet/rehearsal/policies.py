"""Other rules of scaling for the same day and the same container, to compare the template's with."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from consumer.fleet.cloud.cron import Schedule
from consumer.fleet.cloud.metricmath import Query, Source
from consumer.fleet.cloud.scaling import TargetTracking
from consumer.fleet.need import MARGIN
from consumer.fleet.planning.hours import EARLY, held
from consumer.fleet.planning.workload import HOUR
from consumer.fleet.rehearsal import published

if TYPE_CHECKING:
    from consumer.fleet.cloud.scaling import Policy
    from consumer.fleet.rehearsal.day import Scene
    from consumer.fleet.rehearsal.subject import Setup

BUSY = 60.0  # percent: the target of CPU scaling that its documentation shows
VISIBLE = Source(*published.VISIBLE, (), "Maximum")
CPU = Source(*published.CPU, (), "Average")
TASKS = Source(*published.CPU, (), "SampleCount")


def fixed(ours: Setup, scene: Scene) -> Setup:
    """As many containers as an average day needs, from the window's start until its end."""
    work = scene.arrivals.count * scene.durations.mean / ours.deployed.slots
    count = math.ceil(work / ((1 - MARGIN) * (scene.deadline - scene.start)))
    return _bounded(ours, scene, "fixed fleet", count, count)


def backlog_per_task(ours: Setup, scene: Scene, latency: float) -> Setup:
    """AWS's own pattern: visible messages for each task, kept at what one task gets done within the latency."""
    target = ours.deployed.slots * latency / scene.durations.mean
    queries = (
        Query("visible", VISIBLE, return_data=False),
        Query("tasks", TASKS, return_data=False),
        Query("each", expression="visible / tasks"),
    )
    tracking = TargetTracking("backlog-per-task", queries, target)
    return _tracking(ours, scene, f"backlog per task, {latency / HOUR:g} h", tracking)


def cpu(ours: Setup, scene: Scene) -> Setup:
    """Target tracking on the processors, which hardly notice a fleet that waits for others."""
    tracking = TargetTracking("cpu", (Query("cpu", CPU),), BUSY)
    return _tracking(ours, scene, "CPU at 60 %", tracking)


def _tracking(ours: Setup, scene: Scene, name: str, tracking: TargetTracking) -> Setup:
    """Give a fleet that opens with one container, and may go to zero as ours may."""
    bounded = _bounded(ours, scene, name, 1, ours.deployed.most)
    opened, closed = bounded.deployment.schedules
    free = Schedule("free", _cron(scene.start - EARLY + held(scene.deadline - scene.start)), ours.zone, 0, None)
    return _with(bounded, name, (opened, free, closed), (tracking,))


def _bounded(ours: Setup, scene: Scene, name: str, least: int, most: int) -> Setup:
    """Give a fleet that is open for the window, and keeps to no rule in it."""
    schedules = (
        Schedule("open", _cron(scene.start - EARLY), ours.zone, least, most),
        Schedule("close", _cron(scene.deadline), ours.zone, 0, 0),
    )
    return _with(ours, name, schedules)


def _with(ours: Setup, name: str, schedules: tuple[Schedule, ...], policies: tuple[Policy, ...] = ()) -> Setup:
    deployment = replace(ours.deployment, policies=policies, alarms=(), schedules=schedules)
    return replace(ours, name=name, deployment=deployment)


def _cron(seconds: float) -> str:
    minute = int(seconds // 60)
    return f"cron({minute % 60} {minute // 60 % 24} * * ? *)"


def others(ours: Setup, scene: Scene) -> tuple[Setup, ...]:
    """Give them all. A latency as long as the window is what the pattern asks for; a shorter one may save it."""
    window = scene.deadline - scene.start
    patient, hasty = (backlog_per_task(ours, scene, latency) for latency in (window, window / 5))
    return fixed(ours, scene), patient, hasty, cpu(ours, scene)

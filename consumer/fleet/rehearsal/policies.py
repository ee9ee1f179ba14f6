"""Other rules of scaling for the same day and the same container, to compare the template's with."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from consumer.fleet.cloud.cron import Schedule
from consumer.fleet.cloud.metricmath import Query, Source
from consumer.fleet.cloud.scaling import TargetTracking

if TYPE_CHECKING:
    from datetime import tzinfo

    from consumer.fleet.rehearsal.day import Scene
    from consumer.fleet.rehearsal.setup import Setup

AHEAD, FREE = 180.0, 900.0  # seconds before and after the window's start: opened; free to go to zero (overrides.py)
HOUR = 3600.0
BUSY = 60.0  # percent: the target of CPU scaling that its documentation shows
VISIBLE = Source("AWS/SQS", "ApproximateNumberOfMessagesVisible", (), "Maximum")
CPU = Source("AWS/ECS", "CPUUtilization", (), "Average")
TASKS = Source("AWS/ECS", "CPUUtilization", (), "SampleCount")


def fixed(ours: Setup, scene: Scene) -> Setup:
    """As many containers as an average day needs, from the window's start until its end."""
    work = scene.arrivals.count * scene.durations.mean / ours.deployed.slots
    count = math.ceil(work / (0.95 * (scene.deadline - scene.start)))
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
    opened, closed = bounded.schedules
    free = Schedule("free", _cron(scene.start + FREE), opened.zone, 0, None)
    return replace(bounded, policies=(tracking,), schedules=(opened, free, closed))


def _bounded(ours: Setup, scene: Scene, name: str, least: int, most: int) -> Setup:
    """Give a fleet that is open for the window, and keeps to no rule in it."""
    zone = _zone(ours.zone)
    schedules = (
        Schedule("open", _cron(scene.start - AHEAD), zone, least, most),
        Schedule("close", _cron(scene.deadline), zone, 0, 0),
    )
    return replace(ours, name=name, policies=(), alarms=(), schedules=schedules, warnings=frozenset())


def _cron(seconds: float) -> str:
    minute = int(seconds // 60)
    return f"cron({minute % 60} {minute // 60 % 24} * * ? *)"


def _zone(zone: tzinfo) -> ZoneInfo:
    return zone if isinstance(zone, ZoneInfo) else ZoneInfo("UTC")


def others(ours: Setup, scene: Scene) -> tuple[Setup, ...]:
    """Give them all. A latency as long as the window is what the pattern asks for; a shorter one may save it."""
    window = scene.deadline - scene.start
    patient, hasty = (backlog_per_task(ours, scene, latency) for latency in (window, window / 5))
    return fixed(ours, scene), patient, hasty, cpu(ours, scene)

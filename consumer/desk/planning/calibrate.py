"""`consumer calibrate`: watches this container at its work, and prints what `consumer plan --calibrated` reads."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

import psutil

from consumer.clock import Clock
from consumer.container.lock import holder
from consumer.desk.drain import running
from consumer.desk.planning import words
from consumer.errors import SettingsError
from consumer.fleet.planning.calibration import Calibration
from consumer.process import memory, offspring, pulse

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from consumer.process.memory import Memory

WATCH = 300.0  # seconds, unless told
LOOK = 1.0  # seconds between two looks
FEW = 20  # runs: with fewer, little has been seen of what a handler takes
EACH = Calibration().each_cpu_s  # which the plan counts besides


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--seconds", type=words.seconds, default=WATCH, metavar="SECONDS", help=f"watch for so long ({WATCH:g})"
    )


def main(arguments: argparse.Namespace) -> int:
    """Watch, then print the figures; return 1 where no container runs."""
    try:
        folder = running()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"watching for {arguments.seconds:g} s: what is seen is what handlers hold meanwhile", file=sys.stderr)
    clock, watched = Clock(), Watched()
    watch(watched, folder, arguments.seconds, clock)
    print(json.dumps({"measured": f"{clock.now():%Y-%m-%d}", **watched.figures()}))
    for remark in watched.remarks():
        print(remark, file=sys.stderr)
    return 0


def watch(watched: Watched, folder: Path, seconds: float, clock: Clock) -> None:
    """Look at the container, again and again, for so many seconds."""
    before = begun = clock.monotonic()
    watched.look(folder, 0.0)
    while before - begun < seconds:
        clock.block(LOOK)
        now = clock.monotonic()
        watched.look(folder, now - before)
        before = now


@dataclass(slots=True)
class Life:
    """What one process has shown.

    least: MiB of its own at the least. most: at the most, by the messages in hand then. held: seconds, of all messages
    in hand together. cpu, runs: when first looked at, and when last.
    """

    least: float
    alone: float
    cpu: tuple[float, float]
    runs: tuple[int, int]
    most: dict[int, float] = field(default_factory=dict)
    held: float = 0.0


@dataclass(slots=True)
class Watched:
    """What has been seen of a container: its processes, and what is beside them, which is PID 1 and the agent.

    beside: MiB, look by look. cpu: of what is beside, when first looked at, and when last.
    """

    lives: dict[tuple[int, int], Life] = field(default_factory=dict)
    beside: list[float] = field(default_factory=list)
    cpu: dict[int, tuple[float, float]] = field(default_factory=dict)
    seconds: float = 0.0

    def look(self, folder: Path, passed: float) -> None:
        """Look at everything once; passed: seconds since the last look."""
        self.seconds += passed
        shared = 0.0  # MiB that processes have together with PID 1
        living = pulse.living(folder)
        for one in living:
            found = [held for pid in offspring.family(one["pid"]) if (held := memory.measure(pid))]
            used = cpu(one["pid"], children=True)
            if found and used is not None:  # else it has just ended
                self._process(one, found, used, passed)
                shared += sum(held.pss - held.uss for held in found)
        if supervisor := holder(folder):
            self._beside(supervisor, {one["pid"] for one in living}, shared)

    def _process(self, one: dict[str, Any], found: list[Memory], used: float, passed: float) -> None:
        own, hand, runs = sum(held.uss for held in found), len(one["in_hand"]), one["runs"]
        key = one["pid"], one["start_ticks"]
        life = self.lives.setdefault(key, Life(own, found[0].rss, (used, used), (runs, runs)))
        life.least, life.alone = min(life.least, own), min(life.alone, found[0].rss)
        life.cpu, life.runs = (life.cpu[0], used), (life.runs[0], runs)
        if hand:
            life.most[hand] = max(life.most.get(hand, 0.0), own)
            life.held += hand * passed

    def _beside(self, supervisor: int, processes: set[int], shared: float) -> None:
        others = {supervisor, *offspring.children(supervisor)} - processes
        self.beside.append(shared + sum(held.pss for pid in others if (held := memory.measure(pid))))
        for pid in others:
            used = cpu(pid)
            if used is not None:
                self.cpu[pid] = self.cpu.get(pid, (used, used))[0], used

    def figures(self) -> dict[str, float]:
        """Give what has been seen, by the names of Calibration; what has not been is left out."""
        lives, found = self.lives.values(), {}
        if self.beside and self.seconds:
            found["container_mib"] = median(self.beside)
            found["container_cpu"] = sum(last - first for first, last in self.cpu.values()) / self.seconds
        if lives:
            process = found["process_mib"] = median(life.least for life in lives)
            found["alone_mib"] = median(life.alone for life in lives)
            highest = [(own - process) / hand for life in lives for hand, own in life.most.items()]
            if held := sum(life.held for life in lives):
                found["message_mib"] = max(0.0, *highest)
                used = sum(life.cpu[1] - life.cpu[0] for life in lives)
                found["message_cpu"] = max(0.0, used - EACH * self.runs) / held
        return {name: round(value, 5 if name.endswith("cpu") else 1) for name, value in found.items()}

    @property
    def runs(self) -> int:
        """Runs that have succeeded meanwhile."""
        return sum(life.runs[1] - life.runs[0] for life in self.lives.values())

    def remarks(self) -> list[str]:
        """Say what the figures stand on, and what they lack."""
        seen = f"seen: {len(self.lives)} processes, {self.runs} runs that succeeded, in {self.seconds:.0f} s"
        found = [seen + (f"; watch longer for figures of at least {FEW}" if self.runs < FEW else "")]
        if not self.beside:
            found.append("no `consumer up` holds this run directory: container_mib and container_cpu are left out")
        if not any(life.held for life in self.lives.values()):
            found.append("no message was in hand: message_mib and message_cpu are left out; send some")
        return found


def cpu(pid: int, *, children: bool = False) -> float | None:
    """Give the seconds of CPU that a process has used, and its children that have ended; None when it is gone."""
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    own = float(times.user + times.system)
    return own + times.children_user + times.children_system if children else own

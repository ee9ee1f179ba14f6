"""Accounts for runs that a message has had beyond the one that counts. Pure.

**A call to the outside is repeated only where a fault was injected.** One run of each message brings it to its end:
the one that has written its effect, else the last. Every other one is put down to one of these:

* it was meant to fail: its message is poison, or flaky, or hangs the first time;
* its process was killed before it could say how the delivery ended: by the monkey, by a message that is meant to do
  that, or by the agent after the monkey had stopped it; or it had to leave because another message made it hang;
* it said how the delivery ended and why that was not done, and a fault that can lead to this fell into the delivery or
  into the REACH before it: so long a connection may be dead before a long poll's time-out tells. A lost lease or claim
  comes of the queue, the database, or its process being stopped. A failure that was not meant comes of the database or
  of its process being stopped, and where it says that SQLite was locked of any fault: anybody may have held the lock. A
  run that was broken off comes of the database or of its container's end.

A run that says done and has no effect, or says nothing though its process lived, is not accounted for, whatever was
injected. A machine that stood still for more than half a second is a fault, though nobody has injected it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from chaos.history import Fault

if TYPE_CHECKING:
    from chaos.history import History, Line, Run

REACH = 20.0  # seconds
OF_OTHERS = ("elsewhere", "done_already", "deduplicated", "dead_already")  # causes of deliveries without a run
KILLS = ("kill", "kill container")
STOPS = ("stop", "stop for long", "freeze container")
ENDS = ("replace container",)


class Unexplained(Exception):  # noqa: N818 - says what it is
    """Nothing accounts for a run."""


class Accounts:
    """What is known of deaths and deliveries, looked up by process and by message."""

    def __init__(self, history: History) -> None:
        self.kills = {life: fault for fault in history.faults if fault.kind in KILLS for life in fault.lives}
        self.deadly = {run.life: run for run in history.runs if run.planned == "die"}
        self.hanging = {run.life: run for run in history.runs if run.planned == "hang"}
        self.by_agent = {
            (line.container, line.facts["pid"]): line for line in history.lines if line.event == "process_killed"
        }
        deaths = [Fault("death by poison", run.at, run.at + 1.0, run.container) for run in self.deadly.values()]
        self.faults = [*history.faults, *deaths]
        self._said: dict[tuple[int, str, str], list[Line]] = defaultdict(list)
        for line in history.lines:
            if line.event == "delivered" and line.facts["cause"] not in OF_OTHERS:
                self._said[line.container, line.process, line.facts["message_id"]].append(line)

    def of(self, run: Run) -> str:
        """Say what a run that does not count is put down to. Raises Unexplained."""
        if run.planned in {"fail", "die", "hang"}:
            return "was meant to fail"
        said = self._own(run)
        until = said.at if said else float("inf")
        if death := self._death(run, until):
            return death
        hang = self.hanging.get(run.life)
        if hang and hang.at <= until and (said is None or said.facts["outcome"] != "done"):
            return "its process had to leave, its neighbour hanging"
        if said is None:
            raise Unexplained("never came to an end, and nothing has killed its process")
        return self._excuse(run, said)

    def _own(self, run: Run) -> Line | None:
        """Find the line that a run's delivery ended with: a process may have a message in hand twice at a time."""
        lines = self._said[run.container, run.process, run.message_id]
        later = [line for line in lines if line.at >= run.at]
        return min(later, key=lambda line: abs(line.at - line.facts["seconds"] - run.at), default=None)

    def stood_still(self, life: str, at: float) -> bool:
        """Whether the agent had reason to kill a process: it was stopped, or the whole machine was."""
        return self._fell((), at - REACH, at, life)

    def _death(self, run: Run, until: float) -> str:
        """Say what has killed a run's process before the run could end; nothing when nothing has."""
        kill, deadly = self.kills.get(run.life), self.deadly.get(run.life)
        if kill and run.at <= kill.ended and kill.began <= until:
            return "its process was killed"
        if deadly and run.at - REACH <= deadly.at <= until:
            return "its process was killed by another message"
        line = self.by_agent.get((run.container, pid_of(run.life)))
        if line is None or not run.at <= line.at <= until:
            return ""
        if not self.stood_still(run.life, line.at):
            raise Unexplained(f"was ended by the agent, and nothing had stopped its process: {line.facts['why']}")
        return "its process stood still, and the agent killed it"

    def _excuse(self, run: Run, said: Line) -> str:
        """Hold what was said of a delivery against the faults of its time."""
        outcome = said.facts["outcome"]
        since, until = run.at - REACH, said.at
        if outcome == "left_alone" and self._fell(("queue", "database"), since, until, run.life):
            return "its lease or claim was lost"
        if outcome == "retry" and self._fell(("database",), since, until, run.life):
            return "it failed, the database being away"
        locked = outcome == "retry" and "database is locked" in said.facts.get("error", "")
        if locked and any(overlaps(fault, since, until) for fault in self.faults):
            return "it failed, the database being locked"
        if outcome == "release" and self._fell(("database",), since, until, run.life):
            return "it was broken off, the database being away"
        if outcome == "release" and self._stopped(run.container, since, until):
            return "it was broken off, its container having to leave"
        error = f": {said.facts['error']}" if "error" in said.facts else ""
        raise Unexplained(f"ended as {outcome} ({said.facts['cause']}{error}), and no fault of its time leads to that")

    def _fell(self, families: tuple[str, ...], since: float, until: float, life: str) -> bool:
        """Whether a fault of these families, or one that stopped this process, fell into a time."""
        return any(
            overlaps(fault, since, until)
            for fault in self.faults
            if fault.kind == "machine"
            or fault.kind.rpartition(" ")[2] in families
            or (fault.kind in STOPS and life in fault.lives)
        )

    def _stopped(self, container: int, since: float, until: float) -> bool:
        return any(
            fault.kind in ENDS and fault.container == container and overlaps(fault, since, until)
            for fault in self.faults
        )


def overlaps(fault: Fault, since: float, until: float) -> bool:
    """Whether a fault fell into a time."""
    return fault.began <= until and fault.ended >= since


def pid_of(life: str) -> int:
    return int(life.partition(".")[0])

"""Whom a fault on processes can meet, and what they hold: read while they stand still, so that it is surely so."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consumer.process import pulse
from support.programs import kill, wait_until

if TYPE_CHECKING:
    from support.programs import Program


@dataclass(frozen=True, slots=True)
class Victim:
    """A process that was sent SIGSTOP. life: its pid and start. messages: the ids of those that it has in hand."""

    pid: int
    ticks: int
    messages: tuple[str, ...] = ()

    @property
    def life(self) -> str:
        return f"{self.pid}.{self.ticks}"

    def go_on(self) -> None:
        self._send(signal.SIGCONT)

    def die(self) -> None:
        self._send(signal.SIGKILL)
        wait_until(lambda: pulse.started(self.pid) != self.ticks, "a killed process is gone")

    def _send(self, number: int) -> None:
        if pulse.started(self.pid) == self.ticks:
            kill(self.pid, number)


def candidates(container: Program) -> list[dict[str, Any]]:
    """The processes that have heard from the queue: five deaths in a row before that end a container, by contract."""
    return [life for life in container.lives() if life["last_receive"] or life["in_hand"]]


def halt(life: dict[str, Any], run_dir: Path) -> Victim | None:
    """Stop a process, and only then read what it has in hand; None when it has gone meanwhile."""
    pid, ticks = life["pid"], life["start_ticks"]
    if not stand_still(pid, ticks):
        return None
    now = pulse.read(pulse.path_of(run_dir, life))
    held = now.get("in_hand", {}).values()
    return Victim(pid, ticks, tuple(entry["message_id"] for entry in held))


def stand_still(pid: int, ticks: int | None) -> bool:
    """Send SIGSTOP and wait for it to take effect; false when there is no such process any more."""
    if ticks is None or pulse.started(pid) != ticks:
        return False
    kill(pid, signal.SIGSTOP)
    wait_until(lambda: _state(pid) in "TZX", f"{pid} stands still")
    return pulse.started(pid) == ticks


def halt_other(pid: int) -> Victim | None:
    """Stop a process that shows no sign of life: the agent, or PID 1."""
    ticks = pulse.started(pid)
    return Victim(pid, ticks) if ticks is not None and stand_still(pid, ticks) else None


def agent_of(container: Program) -> int | None:
    """The agent's pid: the child of PID 1 that shows no sign of life of its own. None where that is not sure."""
    path = Path(f"/proc/{container.pid}/task/{container.pid}/children")
    try:
        children = {int(word) for word in path.read_text().split()}
    except OSError:
        return None
    others = children - {pid for pid, _ in _signs(container.run_dir)}
    return next(iter(others)) if len(others) == 1 and os.getpid() not in others else None


def _signs(folder: Path) -> list[tuple[int, int]]:
    found = [pulse.life_of(path.name) for path in folder.glob("*.*.*.json")]
    return [one for one in found if one is not None]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"

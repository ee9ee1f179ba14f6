"""The lives of this container's processes, as their files in the run directory tell them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.container import ending
from consumer.process import pulse, quiet

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.clock import Clock


class Lives:
    """Knows which life a pid stands for, and clears away what dead lives leave behind."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._births: dict[int, int | None] = {}

    def born(self, pid: int) -> None:
        """Note when a process started: pids come round again, and an old file may bear the same one."""
        self._births[pid] = pulse.started(pid)

    def ended(self, name: str, pid: int) -> dict[str, Any]:
        """Give the last words of a life that has just ended, and the agent's where the agent has killed it.

        Nothing when it died before it wrote any.
        """
        life = {"name": name, "pid": pid, "start_ticks": self._births.pop(pid, None)}
        path = pulse.path_of(self._folder, life)
        return pulse.read(path) | pulse.read(path.with_suffix(ending.KILL))

    def leave_word(self, life: dict[str, Any], code: int, *, told: bool) -> None:
        """Leave word for the agent, which gives a dead life's messages back and is not told how it ended.

        Raises OSError when it cannot be kept.
        """
        if life.get("in_hand"):
            ending.leave_word(self._folder, life, code, told=told)

    def quieten(self) -> None:
        """Leave word for the processes to take no more messages."""
        quiet.begin(self._folder)

    def lost(self) -> bool:
        """Whether the run directory is gone, and supervisord's socket with it."""
        return not self._folder.is_dir()

    def forget(self, pid: int) -> None:
        """Drop a pid that was none of our processes."""
        self._births.pop(pid, None)

    def sweep(self) -> None:
        """Remove the files of dead lives, except where a message in hand is still under its lease.

        Such a file is all that is known about the message: whoever gives it back early needs the receipt handle.
        """
        unjudged = set(self._births.items())  # dead or not: their last words are still to be asked for
        for path in pulse.lives(self._folder, over=True, forms=(pulse.SIGN, pulse.HALF, *ending.NOTES)):
            if pulse.life_of(path.name) not in unjudged and not self._is_needed(path.with_suffix(pulse.SIGN)):
                path.unlink(missing_ok=True)

    def _is_needed(self, path: Path) -> bool:
        in_hand = pulse.life(path).get("in_hand", {})
        return any(entry.get("lease_until", 0) > self._clock.time() for entry in in_hand.values())

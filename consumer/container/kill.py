"""How the agent ends a process: the reason is left first, for the rescue that follows."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from consumer.container import ending
from consumer.process import pulse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger


def kill(life: dict[str, Any], number: int = signal.SIGKILL) -> None:
    """Send a signal to a process; SIGKILL also to what its handler has started, which may not go on with a message.

    Raises OSError when it is another user's, or has just gone.
    """
    pid = life["pid"]
    if pulse.started(pid) != life["start_ticks"]:
        raise ProcessLookupError(f"{pid} is gone")
    if number == signal.SIGKILL and os.getpgid(pid) == pid:  # as supervisord starts them
        os.killpg(pid, number)
    else:
        os.kill(pid, number)


def end_started(pid: int, number: int = signal.SIGKILL) -> None:
    """Signal what a dead process's handler has started: it would go on with a message that somebody else is given.

    Only where nobody else can have the pid: the number of a group stays taken while the group has members. What has
    left the group (a daemon) goes on. Raises OSError when it is another user's.
    """
    with suppress(ProcessLookupError):  # nothing, which is the usual case
        os.killpg(pid, number)


class Kills:
    """Ends processes and says so."""

    def __init__(
        self, folder: Path, log: FilteringBoundLogger, send: Callable[[dict[str, Any], int], None] = kill
    ) -> None:
        self._folder, self._log, self._send = folder, log, send

    def end(self, life: dict[str, Any], why: str, *, duty: str, suspects: bool) -> None:
        """Kill a process, as that duty wants; `suspects`: whether the reason speaks against what it has in hand."""
        path = pulse.path_of(self._folder, life)
        try:
            ending.leave_reason(path, why, suspects=suspects)
        except OSError as error:  # a full disk: it costs the reason in the log
            self._log.warning("reason_not_kept", error=str(error))
        if self._signal(life, signal.SIGKILL):
            self._log.error("process_killed", **_named(life), duty=duty, why=why, in_hand=len(life["in_hand"]))
        else:
            path.with_suffix(ending.KILL).unlink(missing_ok=True)  # it has not ended by this

    def ask(self, life: dict[str, Any], why: str, *, duty: str) -> None:
        """Tell a process to stop: one with nothing in hand leaves at once."""
        if self._signal(life, signal.SIGTERM):
            self._log.warning("process_asked", **_named(life), duty=duty, why=why)

    def _signal(self, life: dict[str, Any], number: signal.Signals) -> bool:
        try:
            self._send(life, number)
        except OSError as error:  # it is gone, or another user's
            self._log.warning("not_killed", **_named(life), signal=number.name, error=str(error))
            return False
        return True


def _named(life: dict[str, Any]) -> dict[str, Any]:
    return {"name": life["name"], "pid": life["pid"]}

"""How a life with messages in hand ended, and whether they are suspected of it.

PID 1 reaps it and leaves word of its exit code, the agent of its own kills: small files beside the sign of life. Under
stock supervisord nobody tells the code.
"""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from consumer.container.exits import explained
from consumer.process import pulse, whole
from consumer.process.stop import Leaving

if TYPE_CHECKING:
    from pathlib import Path

END, KILL = ".end", ".kill"
NOTES = (END, KILL)
KILLED = 128 + signal.SIGKILL
OWN_CODES = {leaving.value for leaving in Leaving}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a life ended.

    code: its exit code, 128 + n for signal n; None while nobody has told.
    told: supervisord had told it to stop.
    killed: why the agent has ended it; empty where it has not.
    suspects: whether that kill speaks against the messages in hand.
    """

    code: int | None = None
    told: bool = False
    killed: str = ""
    suspects: bool = True


def leave_word(folder: Path, life: dict[str, Any], code: int, *, told: bool) -> None:
    """Note a life's exit code. Raises OSError when it cannot be kept."""
    _write(pulse.path_of(folder, life).with_suffix(END), {"code": code, "told": told})


def leave_reason(path: Path, why: str, *, suspects: bool) -> None:
    """Note, beside a life's file, why the agent is about to kill it. Raises OSError when it cannot be kept."""
    _write(path.with_suffix(KILL), {"killed": why, "suspects": suspects})


def leave_in_hand(path: Path, life: dict[str, Any], entries: dict[str, dict[str, Any]]) -> None:
    """Have a dead life's file say that no more than these is to be given back. Raises OSError when it cannot be kept.

    `held`: what it had in hand all the same, should PID 1 still have to judge the life.
    """
    _write(path, {**life, "in_hand": entries, "held": len(life["in_hand"])})


def read(path: Path) -> Ending:
    """Read what was left about the life that a file tells of."""
    end, kill = (pulse.read(path.with_suffix(form)) for form in NOTES)
    return Ending(**end, **kill)


def forget(path: Path) -> None:
    """Remove the notes about a life, then its own file: by that the next agent finds it, should this one die here."""
    for one in (*(path.with_suffix(form) for form in NOTES), path):
        one.unlink(missing_ok=True)


def crashed(life: dict[str, Any], ending: Ending, *, starved: bool | None, share: float) -> bool:
    """Say whether the messages in hand may have ended the life. Pure.

    starved: the kernel has killed for want of memory; None where it does not say. share: MiB of the container that are
    a process's own; the kernel may choose one that has kept to them, and then another one is to blame.
    """
    if ending.killed:
        return ending.suspects
    if ending.told:
        return False
    if ending.code is None or ending.code == 0:  # in hand, and not draining: os._exit in a handler
        return str(life["state"]) != "draining"
    if ending.code == KILLED and starved and float(life["pss_mib"]) < share:
        return False
    return ending.code not in OWN_CODES


def described(life: dict[str, Any], ending: Ending, *, starved: bool | None) -> str:
    """Say in words how a life ended. Pure."""
    if ending.killed:
        return f"ended by the agent: {ending.killed}"
    if ending.code is None:
        return "it is gone, and nobody has told how"
    if ending.code != KILLED:
        return explained(ending.code)
    if ending.told:
        return "killed by supervisord: it had been told to stop and its time was up"
    if starved is False:
        return "killed by SIGKILL, and not by the kernel for want of memory"
    held = f"{life['uss_mib']:.0f} MiB before the end"
    return f"probably out of memory: {held}" if starved else f"killed by SIGKILL, perhaps for want of memory: {held}"


def _write(path: Path, facts: dict[str, Any]) -> None:
    data = json.dumps(facts).encode()
    try:
        whole.replace(str(path), f"{path}.tmp", data)
    except OSError as error:
        if error.errno not in whole.FULL or not path.exists() or not whole.overwrite(str(path), data):
            raise

"""A process's sign of life: one file per life in the run directory, written by replacing, never touched by a successor.

Standard library only: the health check reads pulses and must start at once.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from consumer.process import whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

SIGN, HALF = ".json", ".new"  # what a sign of life's name ends with; one that is being written
WORDS = 4  # in such a name: process, pid, start, what it ends with


def started(pid: int) -> int | None:
    """Give when a process started, in clock ticks since boot, or None when there is no such process.

    The pid and this together name a life for good: pids come round again (proc(5), field 22 of stat).
    """
    try:
        file = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)  # asked of all, each second: pathlib is slower
        try:
            fields = os.read(file, 1024).rpartition(b")")[2].split()
        finally:
            os.close(file)
    except OSError:
        return None
    return None if fields[0] in b"ZX" else int(fields[19])


class Pulse:
    """Writes one life's file. Its fields are public: `consumer status`, the health check and the agent read them."""

    def __init__(self, folder: Path, process: str, wall: Callable[[], float], **facts: object) -> None:
        pid = os.getpid()
        self.trouble: OSError | None = None
        self._wall = wall
        self.facts: dict[str, Any] = {
            "name": process, "pid": pid, "start_ticks": started(pid), "started": wall(), "state": "starting",
            "handled": 0, "runs": 0, "run_seconds": 0.0, "longest_run": 0.0,
            "last_receive": None, "empty_receives": 0, "rss_mib": 0, "uss_mib": 0, "pss_mib": 0,
            "in_hand": {}, **facts,
        }  # fmt: skip
        self.path = path_of(folder, self.facts)
        self._name, self._beside = str(self.path), str(self.path.with_suffix(HALF))

    def write(self, **changes: object) -> None:
        """Note the changes and write the file.

        A run directory that is gone or full is noted in `trouble`, which the next beat looks at: it must not keep from
        being settled what is in hand.
        """
        self.facts.update(changes, beat=self._wall())
        data = json.dumps(self.facts).encode()
        try:
            whole.replace(self._name, self._beside, data)
        except OSError as error:
            self.trouble = error
            if error.errno in whole.FULL:
                self._squeeze(data)
        else:
            self.trouble = None

    def _squeeze(self, data: bytes) -> None:
        """Write into the room that the file has; at least the beat, or a process that lives would be killed."""
        with suppress(OSError):  # there is no file yet
            if not whole.overwrite(self._name, data) and (before := life(self.path)):
                whole.overwrite(self._name, json.dumps({**before, "beat": self.facts["beat"]}).encode())

    def hold(self, key: str, **facts: object) -> None:
        """Note a message in hand, or what has changed about it."""
        self.facts["in_hand"].setdefault(key, {}).update(facts)
        self.write()

    def drop(self, key: str) -> None:
        """Note that a message is about to be settled, before the queue is told: nobody is to give it back as well."""
        if self.facts["in_hand"].pop(key, None) is not None:
            self.write()

    def ran(self, seconds: float) -> None:
        """Count a run that succeeded; written with what comes next."""
        facts = self.facts
        facts["runs"] += 1
        facts["run_seconds"] = round(facts["run_seconds"] + seconds, 3)
        facts["longest_run"] = round(max(facts["longest_run"], seconds), 3)

    def end(self) -> None:
        """Remove the file: this life ends in order, with nothing in hand."""
        self.path.unlink(missing_ok=True)


def path_of(folder: Path, life: Mapping[str, Any]) -> Path:
    """Give a life's file, from its process's name, its pid and its start."""
    return folder / _named(life)


def life_of(name: str) -> tuple[int, int] | None:
    """Give the pid and the start that a file's name bears; a name that bears none is somebody else's file."""
    words = name.rsplit(".", WORDS - 1)
    pid, ticks = words[1:3] if len(words) == WORDS else ("", "")
    return (int(pid), int(ticks)) if pid.isdigit() and ticks.isdigit() else None


def lives(folder: Path, *, over: bool, forms: tuple[str, ...] = (SIGN,)) -> Iterator[Path]:
    """Give, in order, the files of the lives that are over, or that go on; nothing once the folder is gone.

    forms: what the files' names end with.
    """
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - several times as quick, each second
    except OSError:
        return
    for name in names:
        who = life_of(name)
        if who and name.endswith(forms) and (started(who[0]) != who[1]) == over:
            yield folder / name


def read(path: Path) -> dict[str, Any]:
    """Read what a file tells; nothing when it is gone, its life being over, or torn by a full disk."""
    try:
        facts = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def life(path: Path) -> dict[str, Any]:
    """Read one life's file; nothing when it is none: what a handler keeps there may have a name of the same form."""
    facts = read(path)
    in_hand = facts.get("in_hand")
    entries = in_hand.values() if isinstance(in_hand, dict) else [None]
    is_one = path.name == _named(facts) and all(isinstance(entry, dict) for entry in entries)
    return facts if is_one else {}


def living(folder: Path) -> list[dict[str, Any]]:
    """Read the files of the lives that are going on, in order of process names."""
    return [found for path in lives(folder, over=False) if (found := life(path))]


def _named(facts: Mapping[str, Any]) -> str:
    return f"{facts.get('name')}.{facts.get('pid')}.{facts.get('start_ticks')}{SIGN}"

"""The lives in the run directory, looked at each second: a file that has not changed is not read again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from consumer.process import pulse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORDS = 3  # of a file's name after the process's: pid, start, json


class Picture:
    """What the signs of life say, for all duties of a pass.

    living: the lives that are going on, in order of process names, as of the last look.
    """

    def __init__(self, folder: Path) -> None:
        self.living: list[dict[str, Any]] = []
        self._folder = folder
        self._read: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {}

    def look(self) -> None:
        """Look again."""
        before, self._read = self._read, {}
        for name, over in lives(self._folder):
            if not over:
                self._look(name, before)
        self.living = [life for _, life in self._read.values() if life]

    def _look(self, name: str, before: dict[str, tuple[tuple[int, int], dict[str, Any]]]) -> None:
        path = self._folder / name
        try:
            found = path.stat()
        except OSError:  # it has just ended
            return
        version = (found.st_mtime_ns, found.st_ino)
        known = before.get(name)
        self._read[name] = known if known and known[0] == version else (version, pulse.read(path))


def dead(folder: Path) -> Iterator[Path]:
    """Give the files of the lives that are over."""
    return (folder / name for name, over in lives(folder) if over)


def lives(folder: Path) -> Iterator[tuple[str, bool]]:
    """Give the names of all lives' files, in order, and whether each life is over; nothing once the folder is gone."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - several times as quick, each second
    except OSError:
        return  # PID 1 ends the container
    for name in names:
        words = name.rsplit(".", WORDS)[1:]
        if len(words) == WORDS and words[2] == "json" and words[0].isdigit() and words[1].isdigit():
            yield name, pulse.started(int(words[0])) != int(words[1])

"""The lives that are going on, looked at each second: a file that has not changed is not read again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from consumer.process import pulse

if TYPE_CHECKING:
    from pathlib import Path


WORDS = 3  # of a file's name after the process's: pid, start, json


class Picture:
    """What the signs of life say; as pulse.living, for one who looks often."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {}

    def living(self) -> list[dict[str, Any]]:
        """Give the lives that are going on, in order of process names."""
        before, self._read = self._read, {}
        for name in sorted(os.listdir(self._folder)):  # noqa: PTH208 - several times as quick, each second
            words = name.rsplit(".", 3)[1:]
            if len(words) != WORDS or words[2] != "json" or not (words[0].isdigit() and words[1].isdigit()):
                continue
            if pulse.started(int(words[0])) == int(words[1]):
                self._look(name, before)
        return [life for _, life in self._read.values() if life]

    def _look(self, name: str, before: dict[str, tuple[tuple[int, int], dict[str, Any]]]) -> None:
        path = self._folder / name
        try:
            found = path.stat()
        except OSError:  # it has just ended
            return
        version = (found.st_mtime_ns, found.st_ino)
        known = before.get(name)
        self._read[name] = known if known and known[0] == version else (version, pulse.read(path))

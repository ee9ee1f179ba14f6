"""The lives in the run directory, looked at each second: a file that has not changed is not read again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from consumer.process import pulse

if TYPE_CHECKING:
    from pathlib import Path


class Picture:
    """What the signs of life say, for all duties of a pass.

    living: the lives that are going on, in order of process names, as of the last look.
    """

    def __init__(self, folder: Path) -> None:
        self.living: list[dict[str, Any]] = []
        self._folder = folder
        self._read: dict[Path, tuple[tuple[int, int], dict[str, Any]]] = {}

    def look(self) -> None:
        """Look again."""
        before, self._read = self._read, {}
        for path in pulse.lives(self._folder, over=False):
            self._look(path, before)
        self.living = [life for _, life in self._read.values() if life]

    def _look(self, path: Path, before: dict[Path, tuple[tuple[int, int], dict[str, Any]]]) -> None:
        try:
            found = path.stat()
        except OSError:  # it has just ended
            return
        version = (found.st_mtime_ns, found.st_ino)
        known = before.get(path)
        self._read[path] = known if known and known[0] == version else (version, pulse.life(path))

"""Which messages were in hand when a process died: one file a message in the run directory, best effort.

Standard library only. The agent writes, processes read. A container's word alone: what others know is in the ledger,
where there is one.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from consumer.process import whole

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Record:
    """A message's crashes; `alone`: those in which no other message can have been the cause; `last`: whose death."""

    crashes: int = 0
    alone: int = 0
    last: str = field(default="", compare=False)

    def at_least(self, crashes: int, alone: int) -> Record:
        """Give the record together with another one's word: each may know of deaths that the other has missed."""
        return Record(max(self.crashes, crashes), max(self.alone, alone))


class Crashes:
    """The crashes on record."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "crashes"

    def of(self, message_id: str) -> Record:
        """Give a message's record; an empty one where there is none, or none that can be read."""
        try:
            return Record(**json.loads(self._path(message_id).read_text()))
        except (OSError, ValueError, TypeError):
            return Record()

    def add(self, message_id: str, *, alone: bool, life: str = "") -> Record:
        """Count one more crash; give the record as it now is. Raises OSError when it cannot be kept.

        life: names the process that died. Its death is counted once: an agent may die too, and the next one asks again.
        """
        before = self.of(message_id)
        if life and before.last == life:
            return before
        record = Record(before.crashes + 1, before.alone + alone, life)
        self._folder.mkdir(exist_ok=True)
        path = self._path(message_id)
        whole.replace(str(path), str(path.with_suffix(".new")), json.dumps(asdict(record)).encode())
        return record

    def forget(self, message_id: str) -> None:
        """Drop a record: its message is done with."""
        with suppress(OSError):
            self._path(message_id).unlink()

    def _path(self, message_id: str) -> Path:
        return self._folder / (quote(message_id, safe="") + ".json")

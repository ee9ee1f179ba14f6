"""Decides, from the lives that ended, whether this container can consume at all. Pure: facts in, a verdict out."""

from __future__ import annotations

from dataclasses import dataclass

from consumer.process.stop import Leaving

ROW = 5
FORESEEN = {leaving.value for leaving in Leaving if leaving.foreseen}
NORMAL = {leaving.value for leaving in Leaving if not leaving.abnormal}


@dataclass(frozen=True)
class Death:
    """How one life ended.

    code: its exit code; 128 + n for signal n.
    received: the queue had answered it at least once, be it with nothing.
    in_hand: it held messages when it ended.
    told: supervisord had told it to stop.
    """

    code: int
    received: bool = False
    in_hand: bool = False
    told: bool = False

    @property
    def foreseen(self) -> bool:
        """Whether this is a way of leaving that the process itself has chosen, and a successor will do better."""
        return self.code in FORESEEN

    @property
    def abnormal(self) -> bool:
        """Whether somebody should look: it died, or left by a fault of its own or its handler's."""
        return self.code not in NORMAL

    @property
    def counts(self) -> bool:
        """Whether this life ended abnormally without being able to consume."""
        consumed = self.received and self.code != Leaving.REFUSED.value  # one that may receive may not be let delete
        return not self.foreseen and not consumed and not self.in_hand


class CrashLoop:
    """Counts the lives in a row, of any processes, that could not consume."""

    def __init__(self) -> None:
        self._seen = 0

    def verdict(self, death: Death) -> int | None:
        """Take in one more end of a life; give the exit code with which the container must leave, if it must."""
        if death.told:  # says nothing about what the process could have done
            return None
        self._seen = self._seen + 1 if death.counts else 0
        return death.code if self._seen >= ROW else None

"""When the day's messages are sent. One time after another: of a day, only what comes next is held."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator

    from consumer.clock import Dice


class Arrivals(Protocol):
    """The messages of a day. Times are seconds since midnight."""

    @property
    def count(self) -> int:
        """How many there are."""

    def times(self, dice: Dice) -> Iterator[tuple[float, int]]:
        """Give the times in order, and how many messages come at each."""

    def scaled(self, factor: float) -> Arrivals:
        """Give a day with so many times the messages."""


@dataclass(frozen=True, slots=True)
class Burst:
    """All at once."""

    at: float
    count: int

    def times(self, _: Dice) -> Iterator[tuple[float, int]]:
        """Give the one time."""
        if self.count:
            yield self.at, self.count

    def scaled(self, factor: float) -> Burst:
        """Give a larger or a smaller burst."""
        return replace(self, count=round(self.count * factor))


@dataclass(frozen=True, slots=True)
class Trickle:
    """One by one over a period, each at any moment of it."""

    start: float
    end: float
    count: int

    def times(self, dice: Dice) -> Iterator[tuple[float, int]]:
        """Draw the times in order: each is the least of those that are left."""
        now = self.start
        for left in range(self.count, 0, -1):
            now += (self.end - now) * (1.0 - float(dice.random() ** (1.0 / left)))
            yield now, 1

    def scaled(self, factor: float) -> Trickle:
        """Give more or fewer in the same period."""
        return replace(self, count=round(self.count * factor))


@dataclass(frozen=True, slots=True)
class Given:
    """At the times of a day that was: seconds since midnight, in order."""

    moments: array[float]
    share: float = 1.0

    @property
    def count(self) -> int:
        """How many there are."""
        return round(len(self.moments) * self.share)

    def times(self, _: Dice) -> Iterator[tuple[float, int]]:
        """Give them, each one as often as the share asks for."""
        owed = 0.0
        for moment in self.moments:
            owed += self.share
            whole = int(owed + 1e-9)
            if whole:
                yield moment, whole
                owed -= whole

    def scaled(self, factor: float) -> Given:
        """Give more or fewer at the same times."""
        return replace(self, share=self.share * factor)

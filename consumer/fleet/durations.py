"""How long a message takes: drawn when it is handed out, so that a day's messages are never held all at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from array import array

    from consumer.clock import Dice


class Durations(Protocol):
    """Seconds of a message's run."""

    @property
    def mean(self) -> float:
        """Seconds on average."""

    def draw(self, dice: Dice) -> float:
        """Give the seconds of one message."""

    def scaled(self, factor: float) -> Durations:
        """Give a day on which all takes so many times as long."""


@dataclass(frozen=True, slots=True)
class Uniform:
    """Anything between the shortest and the longest."""

    low: float
    high: float

    @property
    def mean(self) -> float:
        """Seconds on average."""
        return (self.low + self.high) / 2

    def draw(self, dice: Dice) -> float:
        """Give the seconds of one message."""
        return self.low + (self.high - self.low) * dice.random()

    def scaled(self, factor: float) -> Uniform:
        """Give longer or shorter ones."""
        return Uniform(self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Lognormal:
    """Most are short, a few are long. mean: seconds on average; sigma: of their logarithm (1: p99 is 6 times the mean)."""

    mean: float
    sigma: float

    def draw(self, dice: Dice) -> float:
        """Give the seconds of one message."""
        return dice.lognormvariate(math.log(self.mean) - self.sigma**2 / 2, self.sigma)

    def scaled(self, factor: float) -> Lognormal:
        """Give longer or shorter ones."""
        return Lognormal(self.mean * factor, self.sigma)


@dataclass(frozen=True, slots=True)
class Trace:
    """Any of those that were measured."""

    seconds: array[float]
    factor: float = 1.0

    @property
    def mean(self) -> float:
        """Seconds on average."""
        return fmean(self.seconds) * self.factor

    def draw(self, dice: Dice) -> float:
        """Give the seconds of one message."""
        return self.seconds[int(dice.random() * len(self.seconds))] * self.factor

    def scaled(self, factor: float) -> Trace:
        """Give longer or shorter ones."""
        return Trace(self.seconds, self.factor * factor)

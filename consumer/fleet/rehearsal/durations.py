"""How long a message takes: drawn when it is handed out, so that a day's messages are never held all at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable

    from consumer.clock import Dice

SAME = 1e-9


class Durations(Protocol):
    """Seconds of a message's run."""

    @property
    def mean(self) -> float:
        """Seconds on average."""

    @property
    def longest(self) -> float:
        """Seconds that no run may take longer than, or the average where there is no longest."""

    def drawer(self, dice: Dice) -> Callable[[], float]:
        """Give what draws the seconds of one message after another."""

    def scaled(self, factor: float) -> Durations:
        """Give a day on which all takes so many times as long."""


@dataclass(frozen=True, slots=True)
class Between:
    """Anything between the shortest and the longest: all alike, unless the average is not in the middle."""

    low: float
    mean: float
    high: float

    @property
    def longest(self) -> float:
        """Seconds of the longest run."""
        return self.high

    def drawer(self, dice: Dice) -> Callable[[], float]:
        """Give what draws the seconds of one message after another."""
        low, width, roll = self.low, self.high - self.low, dice.random
        if self.mean <= low:
            return lambda: low
        power = width / (self.mean - low) - 1  # the mean of u ** power is 1 / (power + 1)
        if abs(power - 1) < SAME:
            return lambda: low + width * roll()
        return lambda: low + width * float(roll() ** power)

    def scaled(self, factor: float) -> Between:
        """Give longer or shorter ones."""
        return Between(self.low * factor, self.mean * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Lognormal:
    """Most are short, a few are long. mean: seconds on average. sigma: of their logarithm (1: p99 is 6 means)."""

    mean: float
    sigma: float

    @property
    def longest(self) -> float:
        """Seconds on average: a run may take any longer."""
        return self.mean

    def drawer(self, dice: Dice) -> Callable[[], float]:
        """Give what draws the seconds of one message after another."""
        return partial(dice.lognormvariate, math.log(self.mean) - self.sigma**2 / 2, self.sigma)

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

    @property
    def longest(self) -> float:
        """Seconds of the longest run."""
        return max(self.seconds) * self.factor

    def drawer(self, dice: Dice) -> Callable[[], float]:
        """Give what draws the seconds of one message after another."""
        seconds, count, factor, roll = self.seconds, len(self.seconds), self.factor, dice.random
        return lambda: seconds[int(roll() * count)] * factor

    def scaled(self, factor: float) -> Trace:
        """Give longer or shorter ones."""
        return Trace(self.seconds, self.factor * factor)

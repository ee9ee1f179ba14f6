"""Whether a process's private memory grows with each message: a line is fitted over its life. Pure."""

from __future__ import annotations

from math import inf, sqrt

WARM = 10  # messages, in which caches and pools fill
FEWEST = 30  # samples that say anything
MOST = 240  # samples; then every second one is dropped
SURE = 6.0  # standard errors between the slope and none
LEAST = 4.0  # MiB: less may be a heap's usual ups and downs
SHARE = 0.4  # of the whole slope that each third must have: a step, or a cache that fills up, is no leak

Samples = list[tuple[float, float]]


class Growth:
    """The samples of one life: (messages handled, MiB)."""

    def __init__(self) -> None:
        self._samples: Samples = []
        self._next = FEWEST
        self._told = False

    def add(self, handled: int, mib: float) -> float | None:
        """Note a sample; give MiB per 100 messages when it is a leak, once in a life.

        It is judged each time that there are twice as many samples: judged at each one, chance would win some day.
        """
        if self._told or handled < WARM:
            return None
        self._samples.append((float(handled), mib))
        if len(self._samples) < self._next:
            return None
        slope = leak(self._samples)
        self._next *= 2
        if len(self._samples) >= MOST:
            self._samples, self._next = self._samples[::2], MOST
        self._told = slope is not None
        return slope and slope * 100


def leak(samples: Samples) -> float | None:
    """Give the growth per message in MiB, or None where there is none that is sure."""
    slope, error = fit(samples)
    if slope < SURE * error or slope * (samples[-1][0] - samples[0][0]) < LEAST:
        return None
    third = len(samples) // 3
    parts = samples[:third], samples[third:-third], samples[-third:]
    return slope if all(fit(part)[0] >= SHARE * slope for part in parts) else None


def fit(samples: Samples) -> tuple[float, float]:
    """Fit a line by least squares; give its slope and the slope's standard error."""
    count = len(samples)
    mean_x, mean_y = sum(x for x, _ in samples) / count, sum(y for _, y in samples) / count
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    if not spread or count < 3:  # noqa: PLR2004 - through two points goes every line
        return 0.0, inf
    slope = sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread
    rest = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in samples)
    return slope, sqrt(rest / (count - 2) / spread)

"""A rule of scaling in a few lines, so that the rehearsal can be tested without a template."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from consumer.fleet import metrics

if TYPE_CHECKING:
    from consumer.fleet.board import Board


@dataclass
class Follow:
    """Opens with one container, then wants what is needed, at once; none after two zeros."""

    opens: float
    closes: float
    most: int
    first: int = 1
    warns: bool = False
    wanted: list[int] = field(default_factory=list)

    def minute(self, now: float, board: Board, desired: int, _: int) -> int:
        self.wanted.append(desired)
        if not self.opens <= now < self.closes:
            return 0
        if now < self.opens + 60:
            return self.first
        series = board.series(metrics.NAMESPACE, metrics.NEEDED.name, "Maximum")
        slack = board.series(metrics.NAMESPACE, metrics.SLACK.name, "Maximum")
        last = int(now // 60) - 1
        self.warns = all(slack.get(minute, 1.0) < 0 for minute in range(last - 2, last + 1))
        need = series.get(last)
        if need:
            return int(min(need, self.most))
        drained = now > self.opens + 600 and need == 0 == series.get(last - 1)
        return 0 if drained else desired

    def apply_again(self) -> None:
        """Nothing of it is in a template."""

"""What CloudWatch is told each minute of a rehearsed day, by the containers and by AWS itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.fleet import metrics
from consumer.fleet.need import Backlog, Fleet, Pace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.fleet.rehearsal.board import Board
    from consumer.fleet.rehearsal.containers import Container
    from consumer.fleet.rehearsal.setup import Deployed
    from consumer.fleet.rehearsal.work import Work


class Telling:
    """Sends each minute's datapoints."""

    def __init__(self, board: Board, work: Work, deployed: Deployed) -> None:
        self._board, self._work, self._deployed = board, work, deployed
        self.most = deployed.most
        self._told = (0, 0, 0, 0.0)  # of the events: how much has been sent

    def minute(self, now: float, left: float, running: list[Container], desired: int) -> int:
        """Send all that is known in this minute; give the greatest need that a container sees."""
        work = self._work
        self._aws(now, running)
        if not running:
            return 0
        backlog = Backlog(work.visible, 0, work.hidden)
        seen = [self._see(one, backlog, desired, left) for one in running]
        self._own(now, metrics.BACKLOG, [backlog.total])
        self._own(now, metrics.NEEDED, [containers for containers, _ in seen])
        self._own(now, metrics.SLACK, [slack for _, slack in seen if slack is not None])
        self._own(now, metrics.BUSY, [one.busy for one in running])
        self._own(now, metrics.PROCESSES, [one.slots for one in running])
        self._events(now)
        return max(containers for containers, _ in seen)

    def _see(self, one: Container, backlog: Backlog, desired: int, left: float) -> tuple[int, float | None]:
        """Say, as one container does, how many are needed, and the slack: none only after two counts of nothing."""
        shape = self._deployed
        pace = Pace.of(one.done, one.seconds, one.longest, expected=shape.expected, limit=shape.limit)
        fleet = Fleet(shape.slots, desired, max(desired, self.most))
        need = one.asking.minute(backlog, pace, fleet, left)
        return one.asking.containers, need.slack if need else None

    def _events(self, now: float) -> None:
        work = self._work
        so_far = (work.succeeded, work.failed, work.crashed, work.seconds)
        succeeded, failed, crashed, seconds = (new - old for new, old in zip(so_far, self._told, strict=True))
        self._told = so_far
        self._own(now, metrics.SUCCEEDED, [succeeded] if succeeded else [])
        self._own(now, metrics.FAILED, [failed] if failed else [])
        self._own(now, metrics.ABNORMAL, [crashed] if crashed else [])
        self._own(now, metrics.SECONDS, [seconds / succeeded] if succeeded else [])

    def _own(self, now: float, metric: metrics.Metric, values: Iterable[float]) -> None:
        self._board.put(metrics.NAMESPACE, metric.name, now, values)

    def _aws(self, now: float, running: list[Container]) -> None:
        work, put = self._work, self._board.put
        put("AWS/SQS", "ApproximateNumberOfMessagesVisible", now, [work.visible])
        put("AWS/SQS", "ApproximateNumberOfMessagesNotVisible", now, [work.hidden])
        put("AWS/SQS", "ApproximateNumberOfMessagesDelayed", now, [0])
        put("AWS/ECS", "CPUUtilization", now, [one.busy * self._deployed.cpu for one in running])
        put("AWS/ECS", "MemoryUtilization", now, [50.0 for _ in running])

"""What CloudWatch is told each minute of a rehearsed day, as far as the template's rules and ours ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.fleet import metrics
from consumer.fleet.need import Backlog, Fleet, Pace

if TYPE_CHECKING:
    from consumer.fleet.rehearsal.cloudwatch import Board
    from consumer.fleet.rehearsal.containers import Container
    from consumer.fleet.rehearsal.queue import Work
    from consumer.fleet.rehearsal.subject import Deployed

NEEDED = metrics.NAMESPACE, metrics.NEEDED.name
SLACK = metrics.NAMESPACE, metrics.SLACK.name
VISIBLE = "AWS/SQS", "ApproximateNumberOfMessagesVisible"
CPU = "AWS/ECS", "CPUUtilization"
TOLD = NEEDED, SLACK, VISIBLE, CPU


class Telling:
    """Sends each minute's datapoints."""

    def __init__(self, board: Board, work: Work, deployed: Deployed) -> None:
        self._board, self._work, self._deployed = board, work, deployed

    def minute(self, now: float, left: float, running: list[Container], desired: int) -> int:
        """Send all that is known in this minute; give the greatest need that a container sees."""
        work, put = self._work, self._board.put
        put(*VISIBLE, now, [work.visible])
        put(*CPU, now, [one.busy * self._deployed.cpu for one in running])
        backlog = Backlog(work.visible, 0, work.hidden)
        seen = [self._see(one, backlog, desired, left) for one in running]
        put(*NEEDED, now, [containers for containers, _ in seen])
        put(*SLACK, now, [slack for _, slack in seen if slack is not None])
        return max((containers for containers, _ in seen), default=0)

    def _see(self, one: Container, backlog: Backlog, desired: int, left: float) -> tuple[int, float | None]:
        """Say, as one container does, how many are needed, and the slack."""
        shape = self._deployed
        pace = Pace.of(one.done, one.seconds, one.longest, expected=shape.expected, limit=shape.limit)
        fleet = Fleet(shape.slots, desired, max(desired, shape.most))
        need = one.asking.minute(backlog, pace, fleet, left)
        return one.asking.containers, need.slack if need else None

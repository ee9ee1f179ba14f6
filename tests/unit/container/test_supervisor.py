from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from supervisor.states import SupervisorStates

from consumer.container.supervise import Supervisor


class Group:
    """Counts how often supervisord looks for processes that are due."""

    transitions = 0

    def transition(self) -> None:
        self.transitions += 1


def supervisor(mood: int, *ended: int) -> tuple[Supervisor, Group]:
    waiting = [(pid, 0) for pid in ended]
    options: Any = SimpleNamespace(
        mood=mood,
        waitpid=lambda: waiting.pop() if waiting else (None, None),
        pidhistory={pid: SimpleNamespace(finish=lambda _pid, _status: None) for pid in ended},
    )
    group = Group()
    one = Supervisor(options, cast("Any", None))
    one.process_groups = {"worker": group}
    return one, group


@pytest.mark.parametrize("ended", [(), (7,), (7, 8, 9)])
def test_successors_are_started_once_all_that_ended_are_reaped(ended: tuple[int, ...]) -> None:
    one, group = supervisor(SupervisorStates.RUNNING, *ended)
    one.reap()
    assert group.transitions == 1


@pytest.mark.parametrize("mood", [SupervisorStates.RESTARTING, SupervisorStates.SHUTDOWN])
def test_no_successor_is_started_while_everything_ends(mood: int) -> None:
    one, group = supervisor(mood, 7)
    one.reap()
    assert group.transitions == 0

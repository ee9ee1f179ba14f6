"""supervisord as PID 1: real supervisord, which forks our processes from itself, never freezes and hears at once."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from supervisor import supervisord
from supervisor.medusa import asyncore_25 as asyncore
from supervisor.options import SignalReceiver
from supervisor.states import SupervisorStates

from consumer.container.options import Options
from consumer.container.preload import State
from consumer.container.waker import Waker

if TYPE_CHECKING:
    from pathlib import Path

    from consumer.container.container import Container


class Supervisor(supervisord.Supervisor):  # type: ignore[misc]
    """Supervisor that acts on a signal, or a child's end, when it happens and not at its next tick."""

    def __init__(self, options: Options, container: Container) -> None:
        super().__init__(options)
        self._container = container

    def reap(self, once: bool = False, recursionguard: int = 0) -> None:  # noqa: FBT001, FBT002 - supervisor's own
        """Reap, and start successors at once: supervisord itself would come to that a tick later."""
        super().reap(once, recursionguard)
        if recursionguard == 0 and self.options.mood > SupervisorStates.RESTARTING:
            for group in self.process_groups.values():
                group.transition()  # does nothing where nothing is due: delays before a next start still hold

    def handle_signal(self) -> None:
        """Act on all signals that have come: supervisord takes one a tick, and SIGTERM may stand behind SIGCHLD."""
        while self.options.signal_receiver._signals_recvd:  # noqa: SLF001 - it has no other way to ask
            super().handle_signal()

    def tick(self, now: float | None = None) -> None:
        """Tick, and retry what found no room on stdout."""
        super().tick(now)
        self._container.stdout.retry()


def run(configuration: Path, container: Container) -> int:
    """Run supervisord until it is told to stop; return the container's exit code.

    As supervisor.supervisord.main does: a reload (SIGHUP) makes new options and a new Supervisor. Never in the
    background, whatever the file says: a container ends with its PID 1.
    """
    waker, signals = Waker(), SignalReceiver()
    keep = frozenset(fd for fd, _ in State.now().descriptors)
    first = True
    while True:
        options = Options(container, waker, keep)
        options.realize(["-n", "-c", str(configuration)], doc=supervisord.__doc__)
        options.first, options.test = first, False
        options.signal_receiver = signals  # the same one again: SIGTERM may come while a reload makes new options
        with suppress(asyncore.ExitNow):
            Supervisor(options, container).main()
        options.close_httpservers()
        options.close_logger()
        if options.mood < SupervisorStates.RESTARTING:
            return container.code
        first = False

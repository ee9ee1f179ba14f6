"""supervisord's dealings with the system, with ours in their place: fork, exec, descriptors, signals, reaping.

A new ServerOptions is made for every reload; what must outlive one is in Container. Read against supervisor 4.3.0.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from resource import RLIMIT_NOFILE, RLIMIT_NPROC, getrlimit
from typing import TYPE_CHECKING, Any

from supervisor import events
from supervisor.options import ServerOptions
from supervisor.states import SupervisorStates

from consumer.container import child
from consumer.container.kill import end_started
from consumer.errors import problem
from consumer.process.stop import BLOCKED, Leaving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.container.container import Container
    from consumer.container.waker import Waker

LOWEST = 3  # the first descriptor after the standard ones
WORN_OUT = {leaving.value for leaving in Leaving if leaving.worn_out}  # nothing is in hand then
SPARING = signal.SIGTERM  # multiprocessing's tracker does not heed it: it still has to remove what it knows of


class Options(ServerOptions):  # type: ignore[misc]
    """ServerOptions that fork our processes from this one."""

    def __init__(self, container: Container, waker: Waker, keep: frozenset[int]) -> None:
        super().__init__()
        self.stdout, self.stderr = sys.stdout, sys.stderr  # the class holds what they were when it was imported
        self._container = container
        self._waker = waker
        self._keep = keep
        self._in_child = False
        self._parent = os.getpid()

    def usage(self, msg: str) -> None:
        """Leave as wrong settings have us leave; supervisord speaks of a command line here, and nobody typed one."""
        files, processes = (getrlimit(which)[1] for which in (RLIMIT_NOFILE, RLIMIT_NPROC))
        got = f"{msg} (at most {files} files and {processes} processes are allowed here)"
        remedy = "correct its file or raise the limits (ECS: ulimits in the container definition)"
        self.stderr.write(problem("supervisord", "a file and limits that it can run with", got, remedy) + "\n")
        self.exit(Leaving.SETTINGS.value)

    def setsignals(self) -> None:
        """Listen, to signals and to events: a reload has cleared the subscriptions before it comes here."""
        super().setsignals()
        signal.signal(signal.SIGTSTP, self.signal_receiver.receive)  # the kernel would else stop PID 1, or drop it
        self._waker.listen()
        events.subscribe(events.ProcessStateFatalEvent, self._given_up)
        events.subscribe(events.ProcessStateBackoffEvent, self._backed_off)

    def get_signal(self) -> int | None:
        """Take the next signal; SIGTSTP means nothing to supervisord itself."""
        number: int | None = super().get_signal()
        if number == signal.SIGTSTP:
            self._guarded(self._container.quieten)
        return number

    def fork(self) -> int:
        """Fork with signals held back: until the child has handlers of its own it would lose them to supervisord's."""
        signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED)
        pid = -1
        try:
            pid = os.fork()
        finally:
            if pid == 0:
                # First of all: the descriptors under the parent's objects are about to be closed. A garbage collection
                # would close their numbers once more, and by then they belong to connections of this process.
                gc.freeze()
                self._in_child = True
            else:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)
        if pid:
            self._container.lives.born(pid)
        return pid

    def execve(self, filename: str, argv: Sequence[str], env: dict[str, str]) -> None:
        """Become our process where that is what was asked for; else what any supervisord would."""
        if is_ours(argv):
            child.end_with_parent(self._parent)
        if self._container.forks and is_ours(argv):
            child.run(argv, env, self._container.stdout)
        child.forget_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, BLOCKED)  # the mask outlives an exec
        super().execve(filename, argv, env)

    def check_execv_args(self, filename: str, argv: Sequence[str], st: Any) -> None:  # noqa: ANN401 - os.stat_result or None
        """Look for the program, unless none will be executed."""
        if not (self._container.forks and is_ours(argv)):
            super().check_execv_args(filename, argv, st)

    def close_fd(self, fd: int) -> None:
        """Close a descriptor. A child, asked to for each of a thousand numbers, closes at the first what is open."""
        if not self._in_child:
            super().close_fd(fd)
        elif fd == LOWEST:
            self._close_all_but(self._container.kept | {0, 1, 2})

    def cleanup_fds(self) -> None:
        """Close what supervisord has left open before a reload; what was open before supervisord is not its own."""
        self._close_all_but(self._keep)

    def waitpid(self) -> tuple[int | None, int | None]:
        """Reap one child, and note how it ended: supervisord's own events do not always say.

        Not supervisord's: that one reaps whichever it finds, and what a process has started must end before it is
        reaped; after that its pid may be another one's.
        """
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            ended = None
        if ended is None:
            return None, None
        pid = ended.si_pid
        process = self.pidhistory.get(pid)
        if process is None or not consumes(process):
            self._container.lives.forget(pid)
            return os.waitpid(pid, 0)
        self._guarded(end_started, pid, SPARING if _is_worn_out(ended) else signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        self._guarded(self._container.ended, process.config.name, pid, status, told=process.killing)
        return pid, status

    def _close_all_but(self, kept: frozenset[int]) -> None:
        for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - in a child, which is to touch little of what it shares
            if int(name) not in kept:
                super().close_fd(int(name))

    def _given_up(self, event: Any) -> None:  # noqa: ANN401 - supervisor is not typed
        if self.mood < SupervisorStates.RUNNING:  # FATAL is also how supervisord ends one that waits for a restart
            return
        if consumes(event.process):
            self._guarded(self._container.given_up, event.process.config.name)

    def _backed_off(self, event: Any) -> None:  # noqa: ANN401 - as above
        process = event.process
        if not process.pid and consumes(process):  # no pid: there never was a process
            self._guarded(self._container.not_started, process.config.name, process.spawnerr)

    def _guarded(self, judge: Any, *facts: Any, **more: Any) -> None:  # noqa: ANN401 - any of the three above
        """Do so, and end the container by its verdict. PID 1 does not die of a full disk under its notes."""
        try:
            if judge(*facts, **more):
                self.mood = SupervisorStates.SHUTDOWN
        except Exception as error:  # noqa: BLE001
            self._container.journal.error(f"cannot judge how a process ended: {error!r}")


def _is_worn_out(ended: os.waitid_result) -> bool:
    return ended.si_code == os.CLD_EXITED and ended.si_status in WORN_OUT


def is_ours(argv: Sequence[str]) -> bool:
    """Say whether a command is a program of ours; supervisord may run anything else beside them."""
    return len(argv) > 1 and argv[0].rpartition("/")[2] == "consumer" and argv[1] in child.PROGRAMS


def consumes(process: Any) -> bool:  # noqa: ANN401 - supervisor is not typed
    """Say whether a program of supervisord's file is a consumer process: the agent's end harms nobody."""
    argv = process.config.command.split()
    return is_ours(argv) and argv[1] == "work"

"""`consumer agent`: beside the processes, one that looks after them. Its end, or its absence, harms nobody."""

from __future__ import annotations

import asyncio
import os
import signal
from functools import partial
from typing import TYPE_CHECKING, NoReturn, Protocol

from consumer import environment, logs, rundir
from consumer.clock import Clock
from consumer.container.drained import Drained
from consumer.container.kill import Kills
from consumer.container.picture import Picture
from consumer.container.prune import Prune
from consumer.container.rescue import UNTOLD, Rescue
from consumer.container.room import Room
from consumer.container.watchdog import Watchdog
from consumer.errors import SettingsError, described
from consumer.lane import Lane
from consumer.message import client, queue
from consumer.process import books, memory, output
from consumer.process.stop import Leaving, Stop

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

    from consumer.settings import Settings
    from consumer.sink import Sink

EVERY = 1.0  # seconds between passes
BOUND = 2.0  # seconds that a duty may take before it is said to be late
LAST = 3.0  # seconds for the last pass, of the 4 that supervisord.conf gives


class Act(Protocol):
    """What a duty does once each second."""

    name: str

    async def __call__(self) -> None:
        """Do it once. What may block has a lane of its own."""


class Duty:
    """One duty's passes: never two at once, and none waits for another duty's."""

    def __init__(self, act: Act, clock: Clock, log: FilteringBoundLogger) -> None:
        self.skipped = 0
        self._act, self._clock, self._log = act, clock, log
        self._pass: asyncio.Task[None] | None = None
        self._began = 0.0
        self._late = False

    def begin(self) -> asyncio.Future[None]:
        """Begin a pass; skip it, and count that, while the last one is still going on."""
        if self._pass is not None and not self._pass.done():
            self.skipped += 1
            self._say_late()
            return self._pass
        if self._late:
            self._log.info("duty_goes_on", duty=self._act.name, skipped=self.skipped)
        self._late, self._began = False, self._clock.monotonic()
        self._pass = asyncio.create_task(self._once(), name=self._act.name)
        return self._pass

    async def last(self) -> None:
        """Let the pass under way end, and make one more."""
        await asyncio.shield(self.begin())
        await self.begin()

    def _say_late(self) -> None:
        seconds = self._clock.monotonic() - self._began
        if seconds >= BOUND and not self._late:  # it is left alone: cut off, it would not know what it has done
            self._late = True
            self._log.warning("duty_late", duty=self._act.name, seconds=round(seconds, 1))

    async def _once(self) -> None:
        try:
            await self._act()
        except Exception as error:  # noqa: BLE001 - a duty that fails has its next pass in a second
            self._log.error("duty_failed", duty=self._act.name, error=described(error), exc_info=error)


class Agent:
    """Has every duty done once a second.

    look: brings up to date what the duties share. flush: writes what log lines are waiting.
    """

    def __init__(
        self,
        acts: Sequence[Act],
        clock: Clock,
        stop: Stop,
        log: FilteringBoundLogger,
        *,
        look: Callable[[], object] = lambda: None,
        flush: Callable[[], object] = lambda: None,
    ) -> None:
        self.duties = [Duty(act, clock, log) for act in acts]
        self._look, self._flush = look, flush
        self._clock = clock
        self._stop = stop

    async def run(self) -> None:
        """Go on until told to stop; then make one more pass, since the processes have ended by now."""
        while not self._stop.requested.done():
            self._look()
            for duty in self.duties:
                duty.begin()
            self._flush()
            await self._clock.first(self._stop.requested, seconds=EVERY)
        last = asyncio.gather(*(duty.last() for duty in self.duties))
        await self._clock.first(last, seconds=LAST)


class Desk:
    """The queue, as the agent asks it."""

    def __init__(self, settings: Settings) -> None:
        self._name, self._url = settings.queue_url, ""
        self._sqs = client.once(self._name)
        self._lane = Lane("rescue", 4)

    async def give_back(self, handles: Sequence[tuple[str, int]]) -> dict[int, str]:
        """Have messages visible after so many seconds; give the codes of those that were refused, by their places."""
        return await self._lane.run(lambda: self._give_back(handles))

    async def counts(self) -> queue.Counts:
        """Read the queue's counts."""
        return await self._lane.run(lambda: queue.counts(self._sqs, self._locate()))

    def _locate(self) -> str:
        self._url = self._url or queue.locate(self._sqs, self._name)
        return self._url

    def _give_back(self, handles: Sequence[tuple[str, int]]) -> dict[int, str]:
        return queue.give_back(self._sqs, self._locate(), handles)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options: none."""
    del parser


def main(arguments: argparse.Namespace) -> int:
    """Run the command. Ends the process itself: a call that hangs has a thread that nobody waits for."""
    del arguments
    os._exit(run())


def run() -> int:
    """Be the agent until told to stop; return the exit code."""
    try:
        settings, _ = environment.load()  # what there is to warn of, the processes say
        folder = rundir.resolve(settings.run_dir)
    except SettingsError as error:
        return output.refuse(error)
    tags = logs.identity("agent", settings.queue_url)
    sink = output.stdout(tags)
    log = logs.configure(form=settings.log_format, level=settings.log_level, sink=sink, **tags)
    try:
        asyncio.run(_life(settings, folder, sink, log))
    except Exception:  # supervisord starts another one
        log.exception("agent_broken")
    return output.last_lines(sink, Leaving.BROKEN)


def _end(supervisord: int) -> None:
    """Tell supervisord to stop, as the platform does."""
    if os.getppid() == supervisord:  # else it is dead, and whoever took its place is none of ours
        os.kill(supervisord, signal.SIGTERM)


async def _life(settings: Settings, folder: Path, sink: Sink, log: FilteringBoundLogger) -> NoReturn:
    clock = Clock()
    stop = Stop(clock, LAST)
    stop.listen()
    untold = UNTOLD if "CONSUMER_LOG_FD" in os.environ else 0.0  # it is `consumer up` that sets it, and leaves word
    budget = memory.budget(settings)
    ledger = books.load(settings, books.UPKEEP)
    claim = ledger.releaser(settings) if ledger else None
    desk, picture, kills = Desk(settings), Picture(folder), Kills(folder, log)
    acts: list[Act] = [
        Rescue(folder, desk, settings, clock, log, budget=budget, untold=untold, claim=claim),
        Watchdog(picture, settings, clock, kills),
        Room(picture, settings, clock, kills, budget=budget),
    ]
    if ledger:
        acts.append(Prune(ledger.pruner(settings), clock, log))
    if settings.exit_when_drained and "SUPERVISOR_ENABLED" in os.environ:  # else the parent is somebody's shell
        acts.append(Drained(picture, desk, settings.exit_when_drained, clock, log, partial(_end, os.getppid())))
    await Agent(acts, clock, stop, log, look=picture.look, flush=sink.flush).run()
    os._exit(output.last_lines(sink, Leaving.STOPPED))

"""`consumer agent`: beside the processes, one that looks after them. Its end, or its absence, harms nobody."""

from __future__ import annotations

import asyncio
import os
import signal
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from consumer import environment, rundir
from consumer.clock import Clock
from consumer.container import duties
from consumer.container.agentqueue import AgentQueue
from consumer.container.drained import Drained
from consumer.container.ecs import Ecs
from consumer.container.gauges import Gauges
from consumer.container.kill import Kills
from consumer.container.memoryguard import MemoryGuard
from consumer.container.picture import Picture
from consumer.container.protection import Protection
from consumer.container.prune import Prune
from consumer.container.rescue import UNTOLD, Rescue
from consumer.container.wanted import Wanted
from consumer.container.watchdog import Watchdog
from consumer.errors import SettingsError
from consumer.process import books, memory, output
from consumer.process.stop import Leaving, Stop

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

    from consumer.settings import Settings
    from consumer.sink import Sink


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
    sink, log = output.log("agent", settings)
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
    stop = Stop(clock, duties.LAST)
    stop.listen()
    untold = UNTOLD if "CONSUMER_LOG_FD" in os.environ else 0.0  # it is `consumer up` that sets it, and leaves word
    budget = memory.budget(settings)
    ledger = books.load(settings, books.UPKEEP)
    release = ledger.releaser(settings) if ledger else None
    queue, picture, kills = AgentQueue(settings), Picture(folder), Kills(folder, log)
    acts: list[duties.Act] = [
        Rescue(folder, queue, settings, clock, log, budget=budget, untold=untold, release=release),
        Watchdog(picture, settings, clock, kills),
        MemoryGuard(picture, settings, clock, kills, budget=budget),
    ]
    if ledger:
        acts.append(Prune(ledger.pruner(settings), clock, log))
    if settings.exit_when_drained and "SUPERVISOR_ENABLED" in os.environ:  # else the parent is somebody's shell
        acts.append(Drained(picture, queue, settings.exit_when_drained, clock, log, partial(_end, os.getppid())))
    wanted = None
    if platform := Ecs.found(clock):
        wanted = Wanted(platform, clock, log)
        longest = settings.time_limit + settings.time_limit_grace
        acts += [wanted, Protection(picture, platform, wanted, folder, clock, log, longest=longest)]
    if settings.metrics == "emf" or settings.window:
        acts.append(Gauges(picture, queue, settings, clock, log, folder=folder, budget=budget, wanted=wanted))
    await duties.Duties(acts, clock, stop, log, look=picture.look, flush=sink.flush).run()
    os._exit(output.last_lines(sink, Leaving.STOPPED))

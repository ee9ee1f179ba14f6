"""`consumer work`: one consumer process, from its settings to its exit code."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, NoReturn

from consumer import environment, overrides, rundir
from consumer.clock import Clock
from consumer.errors import HandlerError, SettingsError
from consumer.message.queue import Queue
from consumer.process import books, handlers, memory, output
from consumer.process.beat import Beat
from consumer.process.delivery import Delivery
from consumer.process.invoke import Invoker
from consumer.process.leaks import Leaks
from consumer.process.life import Life
from consumer.process.loop import Loop
from consumer.process.patience import Patience
from consumer.process.pulse import Pulse
from consumer.process.recycle import Recycle
from consumer.process.settle import Settler
from consumer.process.stop import Leaving, Stop
from consumer.process.tidy import Tidy

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from structlog.typing import FilteringBoundLogger

    from consumer.process.handlers import Handler
    from consumer.settings import Settings
    from consumer.sink import Sink


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    overrides.add_arguments(parser)


def main(arguments: argparse.Namespace) -> int:
    """Run the command. Ends the process itself: interpreter exit would wait for a handler's threads."""
    os._exit(run(overrides.given(arguments)))


def run(given: dict[str, Any] | None = None) -> int:
    """Be one consumer process until it leaves; return its exit code."""
    try:
        settings, warnings = environment.load(given)
        folder = rundir.resolve(settings.run_dir)
    except SettingsError as error:
        return output.refuse(error)
    process = os.environ.get("SUPERVISOR_PROCESS_NAME", "worker")
    sink, log = output.log(process, settings)
    for warning in warnings:
        log.warning(warning)
    try:
        handler = handlers.load(settings)
    except HandlerError as error:
        log.error("handler_cannot_be_loaded", error=str(error))  # noqa: TRY400 - the cause is in the text
        return output.last_lines(sink, Leaving.HANDLER)
    memory.first_to_go()
    container = {"budget": memory.budget(settings), "parent_pss": _parent()}  # the platform may take seconds to answer
    try:
        asyncio.run(_life(settings, handler, folder, process, sink, log, container))
    except Exception:  # of the event loop itself: a handler has closed its files, say
        log.exception("loop_broken")
    return output.last_lines(sink, Leaving.BROKEN)


async def _life(
    settings: Settings,
    handler: Handler,
    folder: Path,
    process: str,
    sink: Sink,
    log: FilteringBoundLogger,
    container: dict[str, float],
) -> NoReturn:
    """Put one process together, run it, say why it ends, and leave: asyncio.run would wait for hanging threads."""
    clock = Clock()
    stop = Stop(clock, settings.drain_seconds)
    stop.listen()
    pulse = Pulse(folder, process, clock.time, processes=settings.processes, pulse_timeout=settings.pulse_timeout)
    life = Life(settings, clock, stop, pulse, Patience(clock, settings.patience), log)
    queue = Queue(settings, clock)
    invoker = Invoker(handler, settings, clock)
    kept = books.of_process(life, handler, invoker)
    delivery = Delivery(life, queue, invoker, Settler(life, queue), kept)
    recycle = Recycle(life, read=memory.measure, trim=memory.trim, **container)
    leaks = Leaks(life, memory.measure, invoker.tasks)
    loop = Loop(life, queue, kept, delivery, recycle, Tidy(life, invoker, leaks))
    Beat(life, sink).start()
    try:
        leaving = await loop.run()
    except Exception:
        log.exception("loop_broken")
        leaving = Leaving.BROKEN
    say = log.error if leaving.abnormal else log.info
    say("process_leaving", reason=leaving.name.lower(), code=leaving.value, detail=stop.detail, handled=recycle.handled)
    if leaving.foreseen and not delivery.in_hand:
        pulse.end()
    os._exit(output.last_lines(sink, leaving))


def _parent() -> float:
    """Give the memory of the process that all others are forked from, in MiB; 0 where it cannot be read."""
    parent = memory.measure(os.getppid()) if "SUPERVISOR_ENABLED" in os.environ else None
    return parent.pss if parent else 0.0

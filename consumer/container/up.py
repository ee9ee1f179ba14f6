"""`consumer up`: PID 1 of the container."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from fcntl import F_DUPFD, fcntl
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from consumer import environment, overrides
from consumer.clock import Clock
from consumer.container import lock, preload, supervise
from consumer.container.container import Container
from consumer.container.journal import Journal
from consumer.container.lives import Lives
from consumer.container.stdout import Stdout
from consumer.errors import SettingsError, problem
from consumer.hearing import STOPPING
from consumer.process import memory, output
from consumer.process.stop import Leaving
from consumer.settings import PREFIX

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from consumer.settings import Settings

CONFIGURATION = "supervisord.conf"
UNSAFE = "CONSUMER_UP_WITHOUT_FORK"  # from this program to itself, across an exec: why it must not fork


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("-c", "--configuration", metavar="FILE", help="supervisord's file instead of the shipped one")
    overrides.add_arguments(parser)


def main(arguments: argparse.Namespace) -> int:
    """Check, load, and run supervisord in this process; return the container's exit code."""
    unsafe = os.environ.pop(UNSAFE, "")
    clock = Clock()
    given = overrides.given(arguments)
    try:
        settings, warnings = environment.load(given)
        configuration = _configuration(arguments.configuration)
        folder = lock.run_directory(settings.run_dir)
    except SettingsError as error:
        return output.refuse(error)
    _export(settings, given, folder)
    log = _log_descriptor()
    settings, _ = environment.load()  # once more, as the processes will find it: they share what is loaded by it
    stdout = Stdout()
    journal = Journal(stdout, clock, settings)
    for warning in warnings:
        journal.warning(warning)
    try:
        if unsafe:
            journal.warning(
                f"processes are not forked from the loaded application, but load it for themselves: {unsafe}"
            )
        files = frozenset() if unsafe else _load(settings, clock)
        if files is None:
            return Leaving.HANDLER.value
        lives = Lives(folder, clock)
        lives.sweep()
        stdout.take_over_logs(journal)
        kept = files | {log}
        container = Container(stdout=stdout, journal=journal, lives=lives, forks=not unsafe, kept=kept)
        return supervise.run(configuration, container)
    finally:
        stdout.last_words(clock)


def _configuration(given: str | None) -> Path:
    """Find supervisord's file: the given one, the package's, or a source checkout's."""
    here = Path(__file__).parent
    places = [Path(given)] if given else [here / CONFIGURATION, here.parents[1] / CONFIGURATION]
    for place in places:
        if place.is_file():
            return place.resolve()
    looked = " and ".join(map(str, places))
    raise SettingsError([problem("--configuration", "supervisord's file", f"none at {looked}", "correct the path")])


def _export(settings: Settings, given: Mapping[str, object], folder: Path) -> None:
    """Leave in the environment what supervisord's file and the processes need: resolved, so that all agree."""
    os.environ.update({PREFIX + name.upper(): str(value) for name, value in given.items() if value is not None})
    os.environ.update(environment.exported(settings, folder))
    os.environ["CONSUMER_LOG_FORMAT"] = settings.log_format  # a process sees a pipe where this one sees a terminal
    found = memory.budget(settings)
    if found:  # asked of the platform once, not by each process
        os.environ["CONSUMER_CONTAINER_MEMORY"] = f"{found:.1f}"
    if shutil.which("consumer") is None:  # called by its full path, from a folder that is not on the PATH
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    try:
        tempfile.gettempdir()
    except FileNotFoundError:  # a read-only root; supervisord wants a folder for temporary files, and handlers may
        os.environ["TMPDIR"] = str(folder)


def _load(settings: Settings, clock: Clock) -> frozenset[int] | None:
    """Load the application; give the files that it keeps open, or None when it cannot be loaded."""
    before = preload.State.now()
    try:
        here = os.getcwd()  # noqa: PTH109 - to come back to, whatever is loaded goes elsewhere
        preload.load(settings)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - anything at all may come out of the user's modules
        sys.stderr.write(f"{preload.explained(error)}\n")
        return None
    reason = preload.unsafe(before, clock)
    if reason:
        os.chdir(here)
        _start_afresh(reason)
    preload.settle()
    return preload.State.now().files - before.files


def _start_afresh(reason: str) -> NoReturn:
    """Become this program again, with nothing loaded, to exec the processes.

    Not just not to fork: what was loaded is of no more use here, and its threads would go on in PID 1.
    """
    os.environ[UNSAFE] = reason
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)  # until it has handlers again: a pending signal outlives an exec
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606


def _log_descriptor() -> int:
    """Give the processes the container's stdout, past supervisord's pipes: its number is in their environment."""
    duplicate = fcntl(1, F_DUPFD, 3)
    os.environ["CONSUMER_LOG_FD"] = str(duplicate)
    return duplicate

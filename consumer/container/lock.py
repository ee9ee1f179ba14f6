"""One container per run directory: a second one would read the first one's lives as its own."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from consumer import rundir
from consumer.errors import SettingsError, problem
from consumer.process import quiet

if TYPE_CHECKING:
    from pathlib import Path

LOCK = "lock"
SOCKET_PATH = 107  # bytes in the address of a unix socket (unix(7)), its final zero left out
SOCKET = "supervisor.sock.4194304"  # the longest name under which supervisord makes it: a pid is appended at first


def run_directory(given: str) -> Path:
    """Find the run directory, make it, and hold it for as long as this process lives.

    Raises SettingsError when that is impossible, or when another container holds it.
    """
    try:
        folder = rundir.resolve(given)
        _hold(folder)
    except OSError as error:
        raise _problem("a folder that this user may write to", str(error), "choose another") from error
    if len(os.fsencode(folder / SOCKET)) > SOCKET_PATH:
        raise _problem("a path with room for a socket's name", f"{folder}, which is too long", "choose a shorter one")
    return folder


def holder(folder: Path) -> int | None:
    """Give the pid of the container that holds a run directory, or held it last; None where none ever did."""
    try:
        return int((folder / LOCK).read_text())
    except (OSError, ValueError):
        return None


def _hold(folder: Path) -> None:
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)  # never closed: the lock ends with us
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        got = f"{folder}, in use by another `consumer up` (pid {os.pread(lock, 32, 0).decode().strip() or 'unknown'})"
        os.close(lock)
        raise _problem("a folder for each container", got, "stop the other one, or choose another folder") from None
    for by in (quiet.PERSON, quiet.PLATFORM):  # the one that was quiet is no more
        quiet.end(folder, by)
    (folder / "supervisor.sock").unlink(missing_ok=True)  # of a killed one: supervisord would remove it, with a remark
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _problem(expected: str, got: str, remedy: str) -> SettingsError:
    return SettingsError([problem("CONSUMER_RUN_DIR", expected, got, remedy)])

"""Loads the application once, before the first process is forked from it, and says when a fork would be unsafe."""

from __future__ import annotations

import ctypes
import gc
import os
import socket
import sys
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError

from consumer.errors import HandlerError, described
from consumer.message import queue
from consumer.process import books, handlers

if TYPE_CHECKING:
    from consumer.clock import Clock
    from consumer.settings import Settings

M_ARENA_MAX, ARENAS = -8, 2  # mallopt(3)
PACKAGE = str(Path(__file__).parents[1])
FRAMES = 4  # of a traceback: the last ones tell where it failed
ENDING = 0.2  # seconds in which a thread that was joined is still seen to end


def load(settings: Settings) -> None:
    """Import and warm all that the processes can share. Raises HandlerError, or whatever the user's code raises."""
    for module in settings.preload:
        handlers.enter(module, f"CONSUMER_PRELOAD={','.join(settings.preload)}")
    handlers.load(settings)
    books.warm(settings)
    with suppress(BotoCoreError):  # no region, say: each process finds out for itself, and bears it for a while
        queue.clients(settings)
    orm: Any = sys.modules.get("sqlalchemy.orm")
    if orm is not None:  # else every process does it for itself at its first query, in its own memory
        orm.configure_mappers()
    handlers.run_preload_hooks()


def settle() -> None:
    """Leave the memory such that children go on sharing it."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):  # inherited by every fork; setting the variable now would do nothing
        libc.mallopt(M_ARENA_MAX, ARENAS)
    gc.collect()
    gc.freeze()  # a later collection would else write into every object, and copy every page


@dataclass(frozen=True)
class State:
    """What a fork would not carry over: threads, and connections that two processes cannot both use."""

    threads: frozenset[int]
    descriptors: frozenset[tuple[int, str]]

    @classmethod
    def now(cls) -> State:
        """Look at this process, threads of native libraries included."""
        return cls(frozenset(int(task.name) for task in Path("/proc/self/task").iterdir()), frozenset(_descriptors()))

    @property
    def files(self) -> frozenset[int]:
        """Give the open descriptors, connections left out."""
        return frozenset(fd for fd, target in self.descriptors if not target.startswith("socket:"))


def unsafe(before: State, clock: Clock) -> str:
    """Say why no process may be forked from this one since `before`; nothing when it is safe."""
    reasons = [*_threads(before, clock), *_connections(before)]
    return "; ".join(reasons)


def explained(error: BaseException) -> str:
    """Say why the application cannot be loaded: where in the user's code, and one sentence."""
    ours = isinstance(error, HandlerError)
    cause = error.__cause__ if ours else error
    sentence = str(error) if ours else f"the application cannot be loaded: {described(error)}"
    trace = traceback.extract_tb(cause.__traceback__ if cause else None)
    frames = [frame for frame in trace if _is_users(frame.filename)]
    return "".join(traceback.format_list(frames[-FRAMES:])) + sentence


def _is_users(file: str) -> bool:
    return not file.startswith((PACKAGE, "<frozen ")) and not file.endswith("importlib/__init__.py")


def _threads(before: State, clock: Clock) -> list[str]:
    new = State.now().threads - before.threads
    if new:
        clock.block(ENDING)
        new = State.now().threads - before.threads
    names = sorted(_thread_name(task) for task in new)
    return [f"loading it has started threads ({', '.join(names)}), which a fork would not carry over"] if names else []


def _thread_name(task: int) -> str:
    """Give Python's name for a thread, else the system's: a native library's thread has only that."""
    for thread in threading.enumerate():
        if thread.native_id == task:
            return str(thread.name)
    with suppress(OSError):
        return f"native thread {task} of {Path(f'/proc/self/task/{task}/comm').read_text().strip()}"
    return f"thread {task}"


def _connections(before: State) -> list[str]:
    new = sorted(State.now().descriptors - before.descriptors)
    peers = [_peer(fd) for fd, target in new if target.startswith("socket:")]
    return [f"loading it has opened sockets ({', '.join(peers)}), which all processes would share"] if peers else []


def _peer(fd: int) -> str:
    with suppress(OSError), socket.socket(fileno=os.dup(fd)) as connection:
        peer = connection.getpeername()
        return "{}:{}".format(*peer[:2]) if isinstance(peer, tuple) else f"local, {peer!r}"
    return "not connected"


def _descriptors() -> list[tuple[int, str]]:
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the descriptor with which this very list is read
            found.append((int(entry.name), str(entry.readlink())))
    return found

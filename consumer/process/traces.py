"""The traces that a handler can leave in its process: how each kind is read, told in words and put back.

Only what a look costs microseconds for is looked at each time. What cannot be seen: environment changed past Python
(putenv in C), temporary files with a name of the handler's own choosing, threads of native libraries.
"""

from __future__ import annotations

import ctypes
import locale
import os
import signal
import sys
import tempfile
import threading
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from consumer.lane import Worker
from consumer.process import offspring
from consumer.process.forking import LOOP_SIGNALS
from consumer.process.tripwire import FEW, Kind, listed

if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Callable, Mapping

DESCRIPTORS = 50  # more than at the life's start, and two for each slot: pools and kept connections are no leak
TEMPORARY = 20  # files: a handler may well keep a few for its process's life
SENT = ("HUP", "QUIT", "USR1", "USR2", "PIPE", "ALRM", "CHLD")  # not faults: a JVM or faulthandler rightly takes those
OTHERS = tuple(signal.Signals[f"SIG{name}"] for name in SENT)
ASYNCIO_POOL = "asyncio_"  # the pool of the user's loop (to_thread, DNS): it lives as long as the loop, and is bounded
HELPERS = (("resource_tracker", "_resource_tracker", "_pid"), ("forkserver", "_forkserver", "_forkserver_pid"))
POINTER = ctypes.sizeof(ctypes.c_void_p)  # struct sigaction begins with its handler on x86-64 and arm64

_sigaction = getattr(ctypes.CDLL(None), "sigaction", None)
_answer = ctypes.create_string_buffer(256)  # larger than any struct sigaction; made anew it would double the cost


def kinds(slots: int, tasks: Callable[[], list[Task[Any]]]) -> list[Kind]:
    """Give all that is looked at, for a process that has so many messages in hand; tasks: those of the user's loop."""
    most = DESCRIPTORS + 2 * slots
    return [
        STOP_SIGNALS,
        Kind("signal handlers", lambda _: _actions(OTHERS), lambda *pair: _signals(OTHERS, *pair)),
        Kind("working directory", lambda _: _directory(), _instead, mend=os.chdir),
        Kind("umask", _umask, lambda *pair: _instead(*(f"{mask:03o}" for mask in pair)), mend=lambda _: None),
        Kind("environment", lambda _: _environment(), environment),
        Kind("locale", lambda _: locale.setlocale(locale.LC_ALL), _instead),
        Kind("threads", lambda _: _threads(), threads, brief=True),
        Kind("asyncio tasks", lambda _: tasks(), lambda _, now: listed(map(named, now)), brief=True),
        Kind("child processes", lambda _: _children(), _child_names, brief=True),
        Kind("descriptors", lambda _: len(os.listdir("/proc/self/fd")), lambda was, now: descriptors(was, now, most)),  # noqa: PTH208
        Kind("temporary files", _temporary, temporary, seldom=True),
    ]


def _directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - chdir's text
    except FileNotFoundError:  # somebody has removed it
        return "(gone)"


def _instead(before: str, now: str) -> str:
    return f"{now} instead of {before}" if now != before else ""


def _umask(before: int | None) -> int:
    """Read the umask. Only setting it tells what it was (umask(2)): it is set to what it should be, and so put back."""
    if before is not None:
        return os.umask(before)
    found = os.umask(0o077)
    os.umask(found)
    return found


def _actions(numbers: tuple[signal.Signals, ...]) -> tuple[bytes, ...]:
    """Read the kernel's signal handlers.

    Python's own table needs no look: it can be written to in the main thread alone, where no handler runs. Native code
    replaces handlers from any thread.
    """
    return tuple(_action(number) for number in numbers) if _sigaction else ()


def _action(number: int) -> bytes:
    _sigaction(number, None, _answer)  # type: ignore[misc]
    return _answer.raw


def _act(before: tuple[bytes, ...]) -> None:
    for number, action in zip(LOOP_SIGNALS, before, strict=True):
        _sigaction(number, action, None)  # type: ignore[misc]


def _signals(numbers: tuple[signal.Signals, ...], before: tuple[bytes, ...], now: tuple[bytes, ...]) -> str:
    if before == now:  # the usual case
        return ""
    pairs = zip(numbers, before, now, strict=True)
    return listed(number.name for number, was, is_now in pairs if was[:POINTER] != is_now[:POINTER])


STOP_SIGNALS = Kind(
    "stop signals", lambda _: _actions(LOOP_SIGNALS), lambda before, now: _signals(LOOP_SIGNALS, before, now), mend=_act
)
"""Put back whatever the settings say: a process that does not hear SIGTERM is killed with a message in hand."""


def _environment() -> dict[Any, Any]:
    """Copy the environment: its mapping decodes each name and value, which its inner dict does without."""
    inner = getattr(os.environ, "_data", os.environ)
    return dict(inner)


def environment(before: Mapping[Any, Any], now: Mapping[Any, Any]) -> str:
    """Name the variables that differ. Never a value: it may be a secret."""
    if before == now:
        return ""
    changed = {
        "set": now.keys() - before.keys(),
        "changed": {name for name in now.keys() & before.keys() if now[name] != before[name]},
        "removed": before.keys() - now.keys(),
    }
    return "; ".join(f"{verb} {listed(map(os.fsdecode, names))}" for verb, names in changed.items() if names)


def _threads() -> list[threading.Thread]:
    """Give the threads that a program waits for at its end; others are meant to stay."""
    every = (one for one in threading.enumerate() if not isinstance(one, Worker))
    return [one for one in every if not (one.daemon or one.name.startswith(ASYNCIO_POOL))]


def threads(before: list[threading.Thread], now: list[threading.Thread]) -> str:
    """Name the threads that were not there."""
    return listed(one.name for one in now if one not in before)


def named(task: Task[Any]) -> str:
    """Give a task's name and its coroutine's: the name alone is a number where nobody has given one."""
    coroutine = task.get_coro()
    return f"{task.get_name()} ({getattr(coroutine, '__qualname__', type(coroutine).__name__)})"


def _children() -> frozenset[int]:
    """Give the children's pids, those of zombies too; multiprocessing's own helpers are there for the whole life."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)  # reaps nothing
    except ChildProcessError:  # there are none: the usual case costs one call
        return frozenset()
    return frozenset(offspring.children() - {_helper(*names) for names in HELPERS})


def _helper(module: str, holder: str, pid: str) -> int:
    found: Any = getattr(sys.modules.get(f"multiprocessing.{module}"), holder, None)
    return getattr(found, pid, None) or 0


def _child_names(before: frozenset[int], now: frozenset[int]) -> str:
    return listed(f"{pid} ({offspring.read(f'/proc/{pid}/comm').strip()})" for pid in now - before)


def descriptors(before: int, now: int, most: int) -> str:
    """Say what is open, when there are more than `most` new descriptors."""
    return f"{now - before} more than at the start of {now} open: {_opened()}" if now - before > most else ""


def _opened() -> str:
    """Count what descriptors point at, the most frequent first."""
    seen: Counter[str] = Counter()
    for entry in os.listdir("/proc/self/fd"):  # noqa: PTH208 - as above
        with suppress(OSError):  # the descriptor with which this very list is read
            target = os.readlink(f"/proc/self/fd/{entry}")  # noqa: PTH115 - text is what is wanted
            seen[target if target.startswith("/") else target.partition(":")[0]] += 1
    return ", ".join(f"{count} x {target}" for target, count in seen.most_common(FEW))


def _temporary(before: frozenset[str] | None) -> frozenset[str]:
    """Give the names of this process's temporary files and folders.

    All processes of a container share the folder: from now on tempfile's default names bear this one's pid.
    """
    ours = f"tmp{os.getpid()}-"
    if before is None:
        tempfile.template = ours
    return frozenset(name for name in os.listdir(tempfile.gettempdir()) if name.startswith(ours))  # noqa: PTH208


def temporary(before: frozenset[str], now: frozenset[str]) -> str:
    """Name temporary files that are still there, when they are more than TEMPORARY."""
    new = now - before
    return f"{len(new)} in {tempfile.gettempdir()}: {listed(new)}" if len(new) > TEMPORARY else ""

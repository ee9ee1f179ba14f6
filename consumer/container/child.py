"""The first moments of a forked process, between supervisord's fork and the consumer's own main function."""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
import traceback
from typing import TYPE_CHECKING, NoReturn

from consumer import overrides
from consumer.container import agent
from consumer.process import work
from consumer.process.stop import BLOCKED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from consumer.container.stdout import Stdout

PR_SET_PDEATHSIG = 1  # prctl(2)
LIBC = ctypes.CDLL(None)  # before the fork: what is loaded after it is each child's own memory


def run(argv: Sequence[str], env: Mapping[str, str], stdout: Stdout) -> NoReturn:
    """Be the program asked for from here on. The signals in BLOCKED stay blocked until its own handlers stand."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)  # the parent's: its number will soon belong to some file of ours
        forget_signals()
        os.environ.clear()
        os.environ.update(env)
        sys.argv = list(argv)
        stdout.hand_over()
        code = PROGRAMS[argv[1]](argv)
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:  # noqa: BLE001 - supervisord would take it for a program that could not be found
        traceback.print_exc()
    finally:
        os._exit(code)  # not through the interpreter's end: it would wait for threads, and run the parent's exit hooks


def end_with_parent(parent: int) -> None:
    """Have the kernel tell this process to stop when PID 1 dies: outside a container nobody else would."""
    if hasattr(LIBC, "prctl"):  # Linux; it outlives an exec
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it has died already, and the kernel tells of no death in the past
        os._exit(0)


def forget_signals() -> None:
    """Put what supervisord has set back to what a Python program starts with; all others are as they should be.

    Not every signal: SIGPIPE stays ignored, or the first broken connection would end the process.
    """
    for number in BLOCKED:
        signal.signal(number, signal.SIG_DFL)


def _work(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="consumer work")
    overrides.add_arguments(parser)
    return work.run(overrides.given(parser.parse_args(argv[2:])))


def _agent(_: Sequence[str]) -> int:
    return agent.run()


PROGRAMS: dict[str, Callable[[Sequence[str]], int]] = {"work": _work, "agent": _agent}

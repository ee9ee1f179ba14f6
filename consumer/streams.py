"""The streams that a program was started with: one may be closed, its reader may leave, its disk may be full."""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

UNREAD = 128 + signal.SIGPIPE  # exit code where nobody reads on (`| head -1`), as shells report it
FULL = {errno.ENOSPC, errno.EDQUOT}


def open_closed() -> None:
    """Give a program that was started with closed streams (`2>&-`) the null device: Python knows none of them."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
            setattr(sys, name, os.fdopen(number, mode))


def written(program: str, work: Callable[[], int]) -> int:
    """Do the work and write out what it has printed; return its exit code, or one that says that it was not written."""
    try:
        try:
            return work()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        code = UNREAD
    except OSError as error:
        if error.errno not in FULL:
            raise
        sys.stderr.write(f"{program}: expected room for what it writes; got {error}\n")
        code = 1
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the rest, which the interpreter's end writes out
    return code

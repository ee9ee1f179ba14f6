"""Writes a small file of the run directory whole: by replacing it, or over itself where the disk is full.

Standard library only.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress

FULL = {errno.ENOSPC, errno.EDQUOT}  # what a handler's own files may bring about: the folder is there still
BLOCK = 512  # bytes in st_blocks (stat(2))


def replace(path: str, beside: str, data: bytes) -> None:
    """Write beside it, then rename: no reader ever finds a half of it. Raises OSError; then the old one stands."""
    try:
        _create(beside, data)
        os.rename(beside, path)  # noqa: PTH104 - twice a message: pathlib doubles the cost
    except OSError as error:
        if error.errno in FULL:
            with suppress(OSError):
                os.unlink(beside)  # noqa: PTH108 - what was begun takes room
        raise


def overwrite(path: str, data: bytes) -> bool:
    """Write over the file where it has room for all; say whether it had. Raises OSError when it is gone.

    It keeps its length, with spaces at the end, and so its room. A reader in this moment may find it torn.
    """
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        found = os.fstat(file)
        fits = len(data) <= max(found.st_size, found.st_blocks * BLOCK)
        if fits:
            os.pwrite(file, data.ljust(found.st_size), 0)
        return fits
    finally:
        os.close(file)


def _create(path: str, data: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        if os.write(file, data) < len(data):  # a half of it must not take the whole one's place
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
    finally:
        os.close(file)

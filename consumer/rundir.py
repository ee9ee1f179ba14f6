"""The run directory: the one place where a container's processes leave word for one another."""

from __future__ import annotations

import os
from pathlib import Path

from consumer.errors import SettingsError, problem

SHARED = Path("/run/consumer")


def resolve(given: str = "") -> Path:
    """Find the run directory and make it: the given one, else /run/consumer, else a private folder of this user.

    Raises SettingsError when the directory cannot be made or is somebody else's.
    """
    try:
        return _made(given)
    except OSError as error:
        wrong = problem("CONSUMER_RUN_DIR", "a folder that this user may write to", str(error), "choose another")
        raise SettingsError([wrong]) from error


def _made(given: str) -> Path:
    if given:
        Path(given).mkdir(mode=0o700, parents=True, exist_ok=True)
        return Path(given).resolve()
    if SHARED.is_dir() and os.access(SHARED, os.W_OK | os.X_OK):
        return SHARED
    import tempfile  # noqa: PLC0415 - of no use where the folder is given, as in the image; the health check hurries

    private = Path(tempfile.gettempdir()) / f"consumer-{os.getuid()}"
    private.mkdir(mode=0o700, exist_ok=True)
    owner = private.lstat()
    if owner.st_uid != os.getuid() or owner.st_mode & 0o077:  # anybody may make a folder in a shared /tmp
        raise PermissionError(f"{private}, which is not a private folder of user {os.getuid()}")
    return private

"""The children of a process, theirs too: what its handlers have started."""

from __future__ import annotations

import os

MOST = 1 << 16  # bytes


def children(pid: int | str = "self") -> set[int]:
    """Give the children of all threads of a process, zombies too; none when it is gone."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - pathlib doubles the cost
    except OSError:
        return set()
    return {int(child) for task in tasks for child in read(f"/proc/{pid}/task/{task}/children").split()}


def family(pid: int) -> list[int]:
    """Give a process and all that descend from it, as far as they are found in this moment."""
    found = [pid]
    for one in found:  # which grows meanwhile
        found += sorted(children(one) - set(found))
    return found


def read(path: str) -> str:
    """Read a small file of /proc; nothing when its process or thread has ended."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # asked of all busy processes, each second: pathlib is slower
        try:
            return os.read(file, MOST).decode(errors="replace")
        finally:
            os.close(file)
    except OSError:
        return ""

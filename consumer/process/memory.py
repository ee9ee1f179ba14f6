"""Memory: what this process holds for itself, what the container may hold, and giving back what is free."""

from __future__ import annotations

import ctypes
import json
import os
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from consumer.settings import Settings

MIB = 1024 * 1024
NO_LIMIT = 2**60  # cgroup v1 writes no limit as a number near 2**63
METADATA_TIMEOUT = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Memory:
    """One process's memory in MiB: private (USS), its share of what is shared too (PSS), and resident (RSS).

    Processes forked from a loaded application show the whole application in RSS: only private memory tells a leak.
    """

    uss: float
    pss: float
    rss: float


def measure(pid: int | None = None) -> Memory:
    """Read a process's memory from its smaps. Raises psutil.Error when it is gone or another user's."""
    found = psutil.Process(pid).memory_full_info()
    return Memory(found.uss / MIB, found.pss / MIB, found.rss / MIB)


_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone


def trim() -> None:
    """Have glibc give free memory back to the system; elsewhere do nothing."""
    if _malloc_trim is not None:
        _malloc_trim(0)


def budget(settings: Settings) -> float:
    """Give the container's memory in MiB; 0 when nobody says.

    The setting, else the ECS task metadata, else the cgroup. Never the host's: on Fargate the cgroup says "max" and the
    host shows the whole micro-VM.
    """
    return settings.container_memory or _of_task(os.environ.get("ECS_CONTAINER_METADATA_URI_V4", "")) or of_cgroup()


def _of_task(uri: str) -> float:
    """Read the container's own limit, else the task's, from the ECS task metadata endpoint."""
    if not uri.startswith("http"):
        return 0.0
    directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy reaches a link-local address
    for path in ("", "/task"):
        try:
            with directly.open(uri + path, timeout=METADATA_TIMEOUT) as answer:
                limit = float(json.load(answer)["Limits"]["Memory"])
        except (OSError, HTTPException, ValueError, TypeError, LookupError):  # no such service, or no limit there
            continue
        if limit:
            return limit
    return 0.0


def of_cgroup(root: Path = Path("/sys/fs/cgroup")) -> float:
    """Read the limit of cgroup v2 or v1; 0 for none."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            limit = int((root / name).read_text())
        except (OSError, ValueError):  # not there, or "max"
            continue
        if limit < NO_LIMIT:
            return limit / MIB
    return 0.0


def used_of_cgroup(root: Path = Path("/sys/fs/cgroup")) -> float:
    """Read what the container holds, in MiB, less files that the kernel may drop; 0 where the cgroup has no limit.

    One without a limit may be the whole machine's.
    """
    if not of_cgroup(root):
        return 0.0
    for used, stat, inactive in (
        ("memory.current", "memory.stat", "inactive_file"),
        ("memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
    ):
        try:
            files = dict(line.split() for line in (root / stat).read_text().splitlines())
            return (int((root / used).read_text()) - int(files[inactive])) / MIB
        except (OSError, ValueError, LookupError):  # of the other version
            continue
    return 0.0


def oom_kills(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Read how often the kernel has killed for want of memory in this container; None where it does not say."""
    for name in ("memory.events", "memory/memory.oom_control"):
        try:
            counts = dict(line.split() for line in (root / name).read_text().splitlines())
            return int(counts["oom_kill"])
        except (OSError, ValueError, LookupError):  # not there, or an older kernel's
            continue
    return None

"""Memory: what this process holds for itself, what the container may hold, and giving back what is free."""

from __future__ import annotations

import ctypes
import json
import os
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from consumer.process import cgroup

if TYPE_CHECKING:
    from consumer.settings import Settings

MIB = 1024 * 1024
METADATA_TIMEOUT = 2.0  # seconds
FIRST = 300  # thousandths of the memory there is, which a process is taken to hold more than it does (proc(5))
OOM_SCORE_ADJ = Path("/proc/self/oom_score_adj")


@dataclass(frozen=True, slots=True)
class Memory:
    """One process's memory in MiB: private (USS), its share of what is shared too (PSS), and resident (RSS).

    Processes forked from a loaded application show the whole application in RSS: only private memory tells a leak.
    """

    uss: float
    pss: float
    rss: float


def measure(pid: int | None = None) -> Memory | None:
    """Read a process's memory from its smaps, which takes about a third of a millisecond.

    None when it is gone, or another user's.
    """
    try:
        found = psutil.Process(pid).memory_full_info()
    except psutil.Error:
        return None
    return Memory(found.uss / MIB, found.pss / MIB, found.rss / MIB)


def first_to_go() -> None:
    """Have the kernel end this process before PID 1 and the agent, where memory runs out: they give back what it held.

    Twice within 0.1 s, before the first one's memory was free, the kernel has been seen to choose, and PID 1 second.
    """
    with suppress(OSError):  # no Linux, or a /proc that cannot be written to: then it is as it was
        if int(OOM_SCORE_ADJ.read_text()) < FIRST:
            OOM_SCORE_ADJ.write_text(str(FIRST))


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
    return settings.container_memory or _of_task(os.environ.get("ECS_CONTAINER_METADATA_URI_V4", "")) or cgroup.limit()


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

"""What the kernel says of the container's memory: cgroup v2, else v1."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
MIB = 1024 * 1024
NO_LIMIT = 2**60  # cgroup v1 writes no limit as a number near 2**63
ROOT = Path("/sys/fs/cgroup")


def limit(root: Path = ROOT) -> float:
    """Give the limit in MiB; 0 for none."""

    def read(name: str) -> float:
        found = int((root / name).read_text())
        return found / MIB if found < NO_LIMIT else 0.0

    return _first(lambda: read("memory.max"), lambda: read("memory/memory.limit_in_bytes")) or 0.0


def used(root: Path = ROOT) -> float:
    """Give what the container holds, in MiB, less files that the kernel may drop; 0 where the cgroup has no limit.

    One without a limit may be the whole machine's.
    """

    def read(used: str, folder: Path, inactive: str) -> float:
        return (int((folder / used).read_text()) - _counts(folder / "memory.stat")[inactive]) / MIB

    if not limit(root):
        return 0.0
    now = _first(
        lambda: read("memory.current", root, "inactive_file"),
        lambda: read("memory.usage_in_bytes", root / "memory", "total_inactive_file"),
    )
    return now or 0.0


def oom_kills(root: Path = ROOT) -> int | None:
    """Give how often the kernel has killed for want of memory in this container; None where it does not say."""
    return _first(
        lambda: _counts(root / "memory.events")["oom_kill"],
        lambda: _counts(root / "memory" / "memory.oom_control")["oom_kill"],
    )


def _first(*readers: Callable[[], T]) -> T | None:
    """Give the first answer: a file that is not there, or says "max", is the other version's, or an older kernel's."""
    for read in readers:
        try:
            return read()
        except (OSError, ValueError, LookupError):
            continue
    return None


def _counts(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in path.read_text().splitlines())
    return {name: int(count) for name, count in pairs}

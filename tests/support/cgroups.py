"""A memory limit of one test's own: a cgroup, seen by the program in it as a container sees its own."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from typing import Self

import pytest

from consumer.process import memory
from support.programs import wait_until

OLD, NEW = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")  # where versions 1 and 2 are mounted
ENTER = 'echo $$ > "$1/cgroup.procs" && mount --bind "$1" "$2" && shift 2 && exec "$@"'


class Limited:
    """A cgroup with a limit in MiB. `before` is what a command is preceded by to run in it."""

    def __init__(self, mib: int) -> None:
        place = OLD if (OLD / "memory.limit_in_bytes").exists() else NEW
        self.folder = place / f"consumer-{uuid.uuid4().hex[:8]}"
        limit = "memory.limit_in_bytes" if place == OLD else "memory.max"
        try:
            self.folder.mkdir()
            (self.folder / limit).write_text(str(mib * memory.MIB))
        except OSError as error:
            pytest.skip(f"no cgroup with a memory limit can be made here: {error}")
        if os.geteuid() or shutil.which("unshare") is None:
            pytest.skip("only root may show a program its own cgroup, and with unshare")
        self.before = ("unshare", "--mount", "sh", "-c", ENTER, "sh", str(self.folder), str(place))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        wait_until(self._removed, "the cgroup is empty")

    @property
    def oom_kills(self) -> int:
        """How often the kernel has killed in here."""
        for name in ("memory.oom_control", "memory.events"):
            if (self.folder / name).exists():
                return int(dict(line.split() for line in (self.folder / name).read_text().splitlines())["oom_kill"])
        raise AssertionError(f"{self.folder} does not count")

    def _removed(self) -> bool:
        try:
            self.folder.rmdir()
        except OSError:  # a process that was killed is still leaving
            return False
        return True

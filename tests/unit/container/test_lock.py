from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from consumer.container import lock
from consumer.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_made_and_held_until_the_process_ends(tmp_path: Path) -> None:
    program = f"from consumer.container import lock; lock.run_directory({str(tmp_path / 'run')!r}); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as other:
        file = tmp_path / "run" / "lock"
        while not (file.exists() and file.read_text()):
            assert other.poll() is None
        with pytest.raises(SettingsError, match=rf"in use by another `consumer up` \(pid {other.pid}\)"):
            lock.run_directory(str(tmp_path / "run"))
        other.communicate(b"\n")
    assert lock.run_directory(str(tmp_path / "run")) == tmp_path / "run"
    assert file.read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize("left", ["supervisor.sock", "quiet"])
def test_what_a_killed_container_has_left_is_cleared_away_and_a_living_one_s_is_not(tmp_path: Path, left: str) -> None:
    stale = tmp_path / left
    stale.write_text("")
    lock.run_directory(str(tmp_path))
    assert not stale.exists()
    stale.write_text("")
    with pytest.raises(SettingsError, match="in use"):
        lock.run_directory(str(tmp_path))
    assert stale.exists()


def test_a_path_too_long_for_a_socket_is_refused_before_supervisord_fails_at_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="CONSUMER_RUN_DIR: expected a path with room"):
        lock.run_directory(str(tmp_path / ("long" * 25)))


def test_a_place_that_cannot_be_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="CONSUMER_RUN_DIR: expected a folder"):
        lock.run_directory(str(tmp_path / "file"))

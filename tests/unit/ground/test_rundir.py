from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import pytest

from consumer import rundir
from consumer.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without /run/consumer, whose /tmp is the test's own."""
    monkeypatch.setattr(rundir, "SHARED", tmp_path / "run")
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path


def test_a_given_folder_is_made_private(nowhere: Path) -> None:
    folder = rundir.resolve(str(nowhere / "a" / "b"))
    assert folder == nowhere / "a" / "b"
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_container_s_folder_is_taken_where_it_can_be_written(nowhere: Path) -> None:
    (nowhere / "run").mkdir()
    assert rundir.resolve() == nowhere / "run"


def test_without_it_a_private_folder_of_this_user_is_made_and_found_again(nowhere: Path) -> None:
    folder = rundir.resolve()
    assert folder == nowhere / f"consumer-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert rundir.resolve() == folder


def test_a_folder_that_others_may_write_to_is_refused(nowhere: Path) -> None:
    folder = nowhere / f"consumer-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(SettingsError, match="CONSUMER_RUN_DIR"):
        rundir.resolve()


def test_a_link_to_somebody_s_folder_is_refused(nowhere: Path) -> None:
    (nowhere / "theirs").mkdir(mode=0o755)
    (nowhere / f"consumer-{os.getuid()}").symlink_to(nowhere / "theirs")
    with pytest.raises(SettingsError, match="consumer-"):
        rundir.resolve()


def test_a_file_in_its_place_is_an_error(nowhere: Path) -> None:
    (nowhere / "file").write_text("")
    with pytest.raises(SettingsError, match="file"):
        rundir.resolve(str(nowhere / "file"))

from __future__ import annotations

import ctypes
import locale
import os
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from consumer.process import traces
from consumer.process.forking import LOOP_SIGNALS
from consumer.process.traces import STOP_SIGNALS, kinds
from consumer.process.tripwire import Tripwire

if TYPE_CHECKING:
    from collections.abc import Iterator

LIBC = ctypes.CDLL(None)
IGNORE = ctypes.c_void_p(1)  # SIG_IGN
LIBC.signal.restype = ctypes.c_void_p


@pytest.fixture(autouse=True)
def names_of_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put back what a first look sets for its process."""
    monkeypatch.setattr(tempfile, "template", "tmp")


def wired() -> Tripwire:
    """Set it within the test: pytest itself changes the environment between a fixture and its test."""
    return Tripwire(kinds(1, list))


def found(wire: Tripwire) -> dict[str, tuple[str, bool]]:
    return {one.kind: (one.what, one.put_back) for one in wire.look(seldom=True)}


def test_a_handler_that_leaves_nothing_is_not_named() -> None:
    wire = wired()
    with Path(__file__).open(), tempfile.TemporaryDirectory():
        subprocess.run(["true"], check=True)
        thread = threading.Thread(target=str)
        thread.start()
        thread.join()
    assert found(wire) == {}


def test_the_working_directory_is_named_and_put_back(tmp_path: Path) -> None:
    wire = wired()
    before = Path.cwd()
    os.chdir(tmp_path)
    assert found(wire) == {"working directory": (f"{tmp_path} instead of {before}", True)}
    assert Path.cwd() == before


def test_a_working_directory_that_has_been_removed_is_named_and_left(tmp_path: Path) -> None:
    wire = wired()
    before = Path.cwd()
    removed = tmp_path / "removed"
    removed.mkdir()
    os.chdir(removed)
    removed.rmdir()
    assert found(wire) == {"working directory": (f"(gone) instead of {before}", True)}
    assert Path.cwd() == before


def test_a_working_directory_that_is_gone_is_named_and_not_said_to_be_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(here)
    wire = wired()
    os.chdir(elsewhere)
    here.rmdir()
    assert found(wire) == {"working directory": (f"{elsewhere} instead of {here}", False)}


def test_the_umask_is_named_and_put_back() -> None:
    wire = wired()
    before = os.umask(0)
    try:
        assert found(wire) == {"umask": (f"000 instead of {before:03o}", True)}
        assert os.umask(before) == before
    finally:
        os.umask(before)


@pytest.fixture
def terminal() -> Iterator[None]:
    """Keep the test's own handlers: what is replaced by native code is put back by Python's."""
    yield
    for number in (*LOOP_SIGNALS, signal.SIGUSR1):
        signal.signal(number, signal.getsignal(number))


@pytest.mark.usefixtures("terminal")
def test_handlers_of_the_signals_to_stop_are_put_back_and_others_are_only_named() -> None:
    previous = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        wire = wired()
        for number in (signal.SIGTERM, signal.SIGUSR1):
            LIBC.signal(number, IGNORE)
        assert found(wire) == {"stop signals": ("SIGTERM", True), "signal handlers": ("SIGUSR1", False)}
    finally:
        signal.signal(signal.SIGTERM, previous)


@pytest.mark.usefixtures("terminal")
def test_a_process_made_deaf_again_hears_again_each_time_and_it_is_said_once() -> None:
    heard: list[int] = []
    previous = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        wire = Tripwire([STOP_SIGNALS])
        for _ in range(3):
            LIBC.signal(signal.SIGTERM, IGNORE)
            for finding in wire.look(seldom=True):
                assert not heard, "said once"
                wire.said(finding)
            os.kill(os.getpid(), signal.SIGTERM)
        assert heard == [signal.SIGTERM] * 3
    finally:
        signal.signal(signal.SIGTERM, previous)


def test_the_environment_is_told_by_names_and_never_by_values(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = wired()
    monkeypatch.setenv("TOKEN", "secret")
    monkeypatch.delenv("PATH")
    assert found(wire) == {"environment": ("set TOKEN; removed PATH", False)}


def test_the_environment_s_changes_are_told_apart() -> None:
    assert traces.environment({"A": "1", "B": "1"}, {"A": "2", "B": "1"}) == "changed A"
    many = {f"V{number}": "" for number in range(8)}
    assert traces.environment({}, many) == "set V0, V1, V2, V3, V4 and 3 more"


def test_the_locale_is_named() -> None:
    wire = wired()
    before = locale.setlocale(locale.LC_CTYPE)
    locale.setlocale(locale.LC_CTYPE, "C" if before != "C" else "C.UTF-8")
    try:
        assert set(found(wire)) == {"locale"}
    finally:
        locale.setlocale(locale.LC_CTYPE, before)


def test_a_thread_is_named_unless_it_is_a_daemon_or_of_asyncio_s_own_pool() -> None:
    wire = wired()
    over = threading.Event()
    threads = [
        threading.Thread(target=over.wait, name="metrics"),
        threading.Thread(target=over.wait, name="daemon", daemon=True),
        threading.Thread(target=over.wait, name="asyncio_0"),
    ]
    for thread in threads:
        thread.start()
    try:
        assert found(wire) == {"threads": ("metrics", False)}
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert found(wire) == {}


def test_a_child_process_is_named_while_it_runs_and_while_nobody_has_asked_how_it_ended() -> None:
    wire = wired()
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            assert found(wire)["child processes"][0].startswith(f"{child.pid} (")
        finally:
            child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert "child processes" in found(wire)
        assert found(wired()) == {}, "what was there before does not count"
    assert found(wire) == {}


def test_descriptors_are_counted_beyond_a_threshold_and_told_by_what_they_are() -> None:
    wire = wired()
    few = [os.open("/dev/zero", os.O_RDONLY) for _ in range(traces.DESCRIPTORS)]
    assert found(wire) == {}
    more = [os.open("/dev/zero", os.O_RDONLY) for _ in range(5)]
    try:
        ((kind, (what, put_back)),) = found(wire).items()
    finally:
        for descriptor in few + more:
            os.close(descriptor)
    assert (kind, put_back) == ("descriptors", False)
    assert what.startswith("55 more than at the start of ")
    assert "55 x /dev/zero" in what
    assert found(wire) == {}


def test_temporary_files_of_this_process_are_counted_beyond_a_threshold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    wire = wired()
    for _ in range(30):
        (tmp_path / f"tmp1-{os.urandom(4).hex()}").write_text("of another process")
    for _ in range(10):
        descriptor, _name = tempfile.mkstemp()
        os.close(descriptor)
        tempfile.mkdtemp()
    assert found(wire) == {}
    tempfile.mkdtemp()
    assert wire.look(seldom=False) == [], "a folder is not listed after each message"
    what, put_back = found(wire)["temporary files"]
    assert what.startswith(f"21 in {tmp_path}: tmp{os.getpid()}-")
    assert not put_back

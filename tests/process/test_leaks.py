"""What a handler leaves behind in its process, `consumer work`: named, put back, or a reason to retire."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from support import databases
from support.handlers import notes
from support.programs import Program, kill, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.queues import Queues


@pytest.fixture
def littering(env: dict[str, str], tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "tmp"
    folder.mkdir()
    return {**env, "CONSUMER_HANDLER": "support.handlers:litters", "TMPDIR": str(folder)}


@pytest.fixture
def orphans() -> Iterator[list[int]]:
    """Children of a handler outlive its process: end them."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        kill(pid, signal.SIGKILL)


def found(program: Program) -> dict[str, dict[str, Any]]:
    return {line["kind"]: line for line in program.events("left_behind")}


def test_all_that_is_left_behind_is_named_once_with_the_handler(
    queues: Queues, littering: dict[str, str], tmp_path: Path, orphans: list[int]
) -> None:
    everything = [
        "folder", "umask", "deaf", "other signal", "environment", "locale", "thread", "child", "files",
    ]  # fmt: skip
    queues.send({"leave": everything}, {"leave": everything})
    with Program(tmp_path, "work", env=littering) as program:
        program.wait_for("left_behind", 9)
        orphans += map(int, found(program)["child processes"]["what"].split()[:1])
        program.wait_for("delivered", 2, outcome="done")
        assert program.terminate() == 0
        lines = program.events("left_behind")
        text = program.log.read_text()
    kinds = {line["kind"]: line["put_back"] for line in lines}
    assert kinds == {
        "working directory": True, "umask": True, "stop signals": True, "signal handlers": False,
        "environment": False, "locale": False, "threads": False, "child processes": False, "descriptors": False,
    }  # fmt: skip
    assert len(lines) == len(kinds), "once for each kind"
    assert {line["handler"] for line in lines} == {"support.handlers:litters"}
    what = {line["kind"]: line["what"] for line in lines}
    assert what["threads"] == "metrics"
    assert what["environment"] == "set TOKEN"
    assert what["signal handlers"] == "SIGUSR1"
    assert "x /dev/zero" in what["descriptors"]
    assert "secret-of-a-customer" not in text


def test_the_next_message_finds_the_working_directory_and_umask_of_the_first(
    queues: Queues, littering: dict[str, str], tmp_path: Path
) -> None:
    queues.send(*[{"leave": ["folder", "umask"]}] * 4)
    with Program(tmp_path, "work", env=littering) as program:
        program.wait_for("delivered", 4, outcome="done")
        assert program.terminate() == 0
        assert len(program.events("left_behind")) == 2
    places = {one["what"] for one in notes(tmp_path / "books", "") if one["what"].startswith("in ")}
    assert len(places) == 1
    assert not places & {"in / with 000"}


@pytest.mark.parametrize("policy", ["warn", "ignore"])
def test_after_a_handler_that_made_its_process_deaf_sigterm_is_heard(
    policy: str, queues: Queues, littering: dict[str, str], tmp_path: Path
) -> None:
    queues.send(*[{"leave": ["deaf"]}] * 2)
    env = {**littering, "CONSUMER_LEAKS": policy, "CONSUMER_WAIT_TIME_SECONDS": "1"}
    with Program(tmp_path, "work", env=env) as program:
        program.wait_for("delivered", 2, outcome="done")
        wait_until(lambda: [life for life in program.lives() if life["state"] == "idle"], "it has been tidied up")
        assert program.terminate() == 0
        (line,) = program.events("left_behind")
        assert (line["kind"], line["what"], line["put_back"]) == ("stop signals", "SIGTERM", True)


def test_temporary_files_are_named_when_they_pile_up(queues: Queues, littering: dict[str, str], tmp_path: Path) -> None:
    queues.send(*[{"leave": ["temporary file"]}] * 25)
    with Program(tmp_path, "work", env=littering) as program:
        (line,) = program.wait_for("left_behind")
        assert line["kind"] == "temporary files"
        assert line["what"].startswith(f"25 in {tmp_path / 'tmp'}: tmp{program.pid}-")
        assert program.terminate() == 0


def test_recycle_retires_the_process_after_the_message(
    queues: Queues, littering: dict[str, str], tmp_path: Path
) -> None:
    queues.send({"leave": ["environment"]}, {}, {})
    with Program(tmp_path, "work", env={**littering, "CONSUMER_LEAKS": "recycle"}) as program:
        assert program.exit_code() == 14
        (line,) = program.events("process_leaving")
        assert (line["reason"], line["level"], line["detail"]) == ("leaks", "info", "environment: set TOKEN")
        handled = len(notes(tmp_path / "books"))
        assert line["handled"] == handled
    assert queues.left == 3 - handled, "what was in hand has ended, and nothing more was taken"


def test_ignore_says_nothing(queues: Queues, littering: dict[str, str], tmp_path: Path) -> None:
    queues.send({"leave": ["folder", "umask", "environment", "thread"]}, {})
    with Program(tmp_path, "work", env={**littering, "CONSUMER_LEAKS": "ignore"}) as program:
        program.wait_for("delivered", 2, outcome="done")
        assert program.terminate() == 0
        assert not program.events("left_behind")


def test_a_task_that_an_async_handler_leaves_on_its_loop_is_named(
    queues: Queues, littering: dict[str, str], tmp_path: Path
) -> None:
    queues.send({}, {})
    with Program(tmp_path, "work", env={**littering, "CONSUMER_HANDLER": "support.handlers:leaves_a_task"}) as program:
        program.wait_for("delivered", 2, outcome="done")
        program.wait_for("left_behind")
        assert program.terminate() == 0
        (line,) = program.events("left_behind")
        assert (line["kind"], line["what"]) == ("asyncio tasks", "beacon (sleep)")


def test_a_handler_that_cleans_up_after_itself_is_not_named(
    queues: Queues, littering: dict[str, str], tmp_path: Path
) -> None:
    queues.send(*[{}] * 5)
    tidy = {**littering, "CONSUMER_HANDLER": "support.handlers:pools", "CONSUMER_LEAKS": "recycle"}
    with Program(tmp_path, "work", env=tidy) as program:
        program.wait_for("delivered", 5, outcome="done")
        assert program.terminate() == 0
        assert not program.events("left_behind")


def test_gevent_s_patches_are_refused_with_70(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "patched.py").write_text(
        "import sys, types\n"
        "sys.modules['gevent.monkey'] = types.SimpleNamespace(is_module_patched=lambda name: name == 'threading')\n"
        "def handle(message): ...\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    patched = {**env, "CONSUMER_HANDLER": "patched:handle", "PYTHONPATH": path}
    with Program(tmp_path, "work", env=patched) as program:
        assert program.exit_code() == 70
        (line,) = program.events("handler_cannot_be_loaded")
        assert "gevent's in place of threading" in line["error"]


def test_a_transaction_that_is_left_open_is_named_and_rolled_back_before_the_next_message(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    """Without it the second message would wait for the first one's lock, in vain."""
    url = databases.on_sqlite(tmp_path)
    effects = databases.Effects(url)
    own = {"CONSUMER_HANDLER": "support.ledgered:keeps_open", "OWN_DATABASE_URL": url}
    queues.send({}, {}, {})
    with Program(tmp_path, "work", env={**env, **own}) as program:
        program.wait_for("delivered", 3, outcome="done")
        assert program.terminate() == 0
    (line,) = program.events("left_behind")
    assert (line["kind"], line["put_back"]) == ("connections", True)
    assert "sqlite3 taken at" in line["what"]
    assert "ledgered.py" in line["what"]
    assert effects.all() == []
    effects.engine.dispose()

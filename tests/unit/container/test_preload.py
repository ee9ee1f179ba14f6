from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from consumer.clock import Clock
from consumer.container.preload import State, explained, unsafe
from consumer.errors import HandlerError


def test_nothing_new_is_safe() -> None:
    assert unsafe(State.now(), Clock()) == ""


def test_a_thread_and_a_connection_are_named_and_files_are_not() -> None:
    before, over = State.now(), threading.Event()
    thread = threading.Thread(target=over.wait, name="metrics")
    thread.start()
    try:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as one:
            reason = unsafe(before, Clock())
            assert "metrics" in reason
            assert "{}:{}".format(*one.getpeername()) in reason
    finally:
        over.set()
        thread.join()
    with Path(__file__).open():
        assert unsafe(before, Clock()) == ""


def test_a_socket_that_leads_to_no_other_machine_is_named_too() -> None:
    before, (one, other) = State.now(), socket.socketpair()
    with one, other:
        assert "opened sockets (local, " in unsafe(before, Clock())


def test_what_was_there_before_does_not_count() -> None:
    with socket.socket():
        assert unsafe(State.now(), Clock()) == ""


def test_a_file_that_loading_leaves_open_is_found() -> None:
    before = State.now()
    with Path(__file__).open() as kept, socket.socket() as connection:
        found = State.now().files - before.files
        assert kept.fileno() in found
        assert connection.fileno() not in found


def test_a_failure_is_told_with_the_user_s_frames_alone(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    code = compile("def f():\n    raise ValueError('oops')\nf()\n", str(file), "exec")
    failure = HandlerError("app:handle: expected this; got that.")
    with pytest.raises(ValueError, match="oops") as caught:
        exec(code)
    failure.__cause__ = caught.value
    text = explained(failure)
    assert f'File "{file}", line 2' in text
    assert text.endswith("\napp:handle: expected this; got that.")
    assert "frozen" not in text
    assert os.sep + "consumer" + os.sep not in text.replace(str(tmp_path), "")


def test_a_failure_without_a_cause_is_one_sentence() -> None:
    assert explained(HandlerError("app:handle: expected a function; got none.")).count("\n") == 0


def test_with_a_ledger_the_database_s_driver_is_loaded_for_all_processes_and_nothing_is_connected() -> None:
    """Each process would else spend 0.4 s and 12 MiB on it."""
    program = """
import sys
from consumer.container import preload
from consumer.process import books
from unit.doubles import settings
chosen = settings(database_url="postgresql://nobody@127.0.0.1:1/nothing")
books.load(chosen)
assert "psycopg" not in sys.modules
books.warm(chosen)
assert "psycopg" in sys.modules
"""
    pytest.importorskip("psycopg")
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "PYTHONPATH": ":".join(sys.path)})

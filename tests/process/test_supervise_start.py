"""What one container promises when it starts: what it checks, what it loads, and when it does not fork."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from process.standin_container import HANDLER, THREAD, wait_until

if TYPE_CHECKING:
    from process.standin_container import Make, Up

CONNECTS = f"""
import socket
server = socket.create_server(("127.0.0.1", 0))
kept = socket.create_connection(server.getsockname())
{HANDLER}"""
GEVENT = f"""
import sys, types
monkey = types.ModuleType("gevent.monkey")
monkey.is_module_patched = lambda name: True
sys.modules["gevent.monkey"] = monkey
{HANDLER}"""
HOOK = """
from consumer import on_preload

@on_preload
def warm():
    {}

def handle(message): ...
"""


def test_wrong_settings_are_all_named_and_end_it_with_64(make: Make) -> None:
    container = make().start(CONSUMER_PROCESSES="none", CONSUMER_JITTER="7")
    assert container.wait() == 64
    assert "CONSUMER_PROCESSES: expected" in container.output
    assert "CONSUMER_JITTER: expected" in container.output


@pytest.mark.parametrize(
    ("handler", "says"),  # every other cause: tests/unit/process/test_handlers.py
    [("import nowhere\n", "No module named 'nowhere'"), ("import sys\nsys.exit(3)\n", "SystemExit: 3")],
)
def test_a_handler_that_cannot_be_loaded_ends_it_with_70_and_the_cause(make: Make, handler: str, says: str) -> None:
    container = make(handler=handler).start()
    assert container.wait() == 70
    assert says in container.output


def test_a_preload_hook_that_fails_ends_it_with_70_and_the_end_of_its_traceback(make: Make) -> None:
    container = make(handler=HOOK.format("1 / 0")).start()
    assert container.wait() == 70
    assert "@on_preload warm" in container.output
    assert "app.py" in container.output, "where it failed"
    assert "ZeroDivisionError" in container.output


def test_preload_modules_and_hooks_run_once_for_all_processes(make: Make) -> None:
    container = make(handler=HOOK.format("open('loaded', 'a').write('hook ')"))
    (container.folder / "first.py").write_text("open('loaded', 'a').write('first ')\n")
    container.start(CONSUMER_PRELOAD="first", CONSUMER_PROCESSES="3")
    started = container.wait_for("started", 3)
    assert not any(facts["execed"] for facts in started)
    assert (container.folder / "loaded").read_text() == "first hook "


@pytest.mark.parametrize(
    ("handler", "reason"),
    [(THREAD, "started threads (metrics)"), (CONNECTS, "127.0.0.1:")],
)
def test_where_a_fork_would_be_unsafe_processes_are_execed_and_the_log_says_why(
    make: Make, handler: str, reason: str
) -> None:
    container = make(handler=handler).start(CONSUMER_PROCESSES="1")
    started = container.wait_for("started", 1)
    assert all(facts["execed"] for facts in started)
    assert reason in container.output
    assert threads(container) == 1, "what was loaded must not go on in PID 1"
    assert container.stop() == 0


def test_gevent_s_patches_are_refused_with_70_and_why(make: Make) -> None:
    container = make(handler=GEVENT).start()
    assert container.wait() == 70
    assert "gevent's in place of threading" in container.output
    assert "take out monkey.patch_all()" in container.output


def test_gevent_s_patches_by_a_preload_hook_are_refused_as_well(make: Make) -> None:
    patch = f"exec({GEVENT.replace(HANDLER, '')!r})"
    container = make(handler=HOOK.format(patch)).start()
    assert container.wait() == 70
    assert "gevent's in place of threading" in container.output


def test_a_process_that_is_execed_has_the_container_s_stdout_and_no_blocked_signals(make: Make) -> None:
    container = make("curious", handler=THREAD).start(CONSUMER_PROCESSES="1")
    looked = container.wait_for("looked")[0]
    assert looked["stdout"] == str(container.output_file)
    assert not any(target.endswith("/lock") for target in looked["descriptors"])
    assert container.stop() == 0


def test_a_thread_that_has_ended_is_no_reason_not_to_fork(make: Make) -> None:
    container = make(handler=THREAD.replace("60", "0.02")).start(CONSUMER_PROCESSES="1")
    assert not container.wait_for("started")[0]["execed"]


def test_a_run_directory_serves_one_container(make: Make) -> None:
    container = make().start()
    container.wait_for("started", 2)
    second = make().start(CONSUMER_RUN_DIR=str(container.run_dir))
    assert second.wait() == 64
    assert f"CONSUMER_RUN_DIR: expected a folder for each container; got {container.run_dir}" in second.output
    assert f"pid {container.pid}" in second.output
    assert container.stop() == 0
    third = make().start(CONSUMER_RUN_DIR=str(container.run_dir))
    third.wait_for("started", 2)


def test_a_run_directory_that_cannot_be_is_refused_with_the_setting_s_name(make: Make) -> None:
    container = make()
    (container.folder / "file").write_text("")
    assert container.start(CONSUMER_RUN_DIR=str(container.folder / "file" / "run")).wait() == 64
    assert "CONSUMER_RUN_DIR: expected a folder" in container.output
    container = make()
    assert container.start(CONSUMER_RUN_DIR=str(container.folder / ("long" * 30))).wait() == 64
    assert "too long" in container.output


def test_being_told_to_stop_while_loading_ends_it_at_once(make: Make) -> None:
    container = make(handler="import time\nopen('loading', 'w').close()\ntime.sleep(60)\n").start()
    wait_until((container.folder / "loading").exists)
    assert container.stop() == 0
    assert not container.notes("started")


def test_a_configuration_that_is_not_there_is_named(make: Make) -> None:
    container = make()
    container.conf.unlink()
    assert container.start().wait() == 64
    assert str(container.conf) in container.output


def test_the_shipped_configuration_is_found_without_being_named(make: Make) -> None:
    container = make()
    command = [sys.executable, *container.command("up")[1:3], "up"]
    container.start(command=command)
    container.wait_for("started", 2)
    assert container.stop() == 0


def test_a_read_only_root_needs_no_folder_but_the_run_directory(make: Make) -> None:
    container = make("curious")
    program = (
        "import tempfile, sys, runpy\n"
        "tempfile._candidate_tempdir_list = lambda: [d for d in [__import__('os').environ.get('TMPDIR')] if d]\n"
        f"sys.argv = {container.command('up', '-c', str(container.conf))[1:]!r}\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    container.start(command=[sys.executable, "-c", program], CONSUMER_PROCESSES="1")
    assert container.wait_for("looked")[0]["environment"]["CONSUMER_RUN_DIR"] == str(container.run_dir)
    assert container.stop() == 0


def test_stock_supervisord_runs_the_same_file(make: Make) -> None:
    container = make()
    container.start(command=["sh", "-c", f"exec env $(consumer settings --export) supervisord -c {container.conf}"])
    started = container.wait_for("started", 2)
    assert all(facts["execed"] for facts in started)
    wait_until(lambda: container.ctl("status").stdout.count("RUNNING") == 3)
    container.signal(signal.SIGTERM)
    assert container.wait() == 0
    assert len(container.notes("told")) == 2


def threads(container: Up) -> int:
    """Count PID 1's threads."""
    counted = subprocess.run(["ls", f"/proc/{container.pid}/task"], capture_output=True, text=True, check=True)
    return len(counted.stdout.split())


def test_an_application_that_goes_elsewhere_when_it_is_loaded_is_loaded_from_here_again(make: Make) -> None:
    container = make(handler=f"import os\nos.chdir('/')\n{THREAD}").start()
    assert all(facts["execed"] for facts in container.wait_for("started", 2))
    assert container.stop() == 0

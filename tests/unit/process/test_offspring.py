from __future__ import annotations

import os
import signal
import subprocess
import threading

from consumer.process.offspring import children, family
from support.programs import kill, wait_until


def test_what_a_process_has_started_is_found_with_what_that_has_started() -> None:
    """From a thread that has ended meanwhile, as a handler's may."""
    started: list[subprocess.Popen[bytes]] = []
    thread = threading.Thread(target=lambda: started.append(subprocess.Popen(["sh", "-c", "sleep 60 & wait"])))
    thread.start()
    thread.join()
    (shell,) = started
    try:
        (sleep,) = wait_until(lambda: children(shell.pid), "the shell has started its program")
        assert shell.pid in children()
        assert family(shell.pid) == [shell.pid, sleep]
        assert {shell.pid, sleep} <= set(family(os.getpid()))
    finally:
        kill(sleep, signal.SIGKILL)
        shell.wait()


def test_a_process_that_is_gone_has_nobody() -> None:
    assert family(2**22 - 1) == [2**22 - 1]

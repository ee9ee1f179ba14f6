"""Stock superlance listeners under `consumer up`."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from process.standin_container import BIN, wait_until

if TYPE_CHECKING:
    from process.standin_container import Make


def test_memmon_restarts_a_process(make: Make) -> None:
    container = make(conf=MEMMON).start()
    first = {facts["name"]: facts["pid"] for facts in container.wait_for("started", 2)}
    again = container.wait_for("started", 3, seconds=15.0)[2]  # a tick comes every 5 s
    assert again["name"] == "worker_00"
    assert again["pid"] != first["worker_00"]
    wait_until(lambda: "Restarting worker:worker_00" in container.output)
    assert container.stop() == 0


def test_crashmail_writes_of_a_crash_and_not_of_recycling(make: Make) -> None:
    container = make("recycles_then_crashes", conf=CRASHMAIL, after=1.1).start(CONSUMER_PROCESSES="1")
    container.wait_for("started", 3)
    mails = container.folder / "mails"
    wait_until(lambda: mails.exists() and "To: ops@example.com" in mails.read_text())
    assert mails.read_text().count("Subject:") == 1
    assert f"pid {container.notes('started')[1]['pid']}" in mails.read_text()
    assert container.stop() == 0


def test_a_listener_is_a_program_like_any_other_and_no_process_of_ours(make: Make) -> None:
    container = make(conf=PLAIN).start()
    container.wait_for("started", 2)
    pid = int(container.ctl("pid", "plain").stdout)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: "plain (terminated by SIGKILL" in container.output)
    assert "plain (pid" not in container.output, "only our processes are judged"
    assert container.stop() == 0


MEMMON = f"""
[eventlistener:memmon]
command={BIN}/memmon -p worker_00=1KB
events=TICK_5
stderr_logfile=/dev/fd/2
stderr_logfile_maxbytes=0
"""
CRASHMAIL = f"""
[eventlistener:crashmail]
command={BIN}/crashmail -a -m ops@example.com -s "sh -c 'cat >> mails'"
events=PROCESS_STATE_EXITED
"""
PLAIN = """
[program:plain]
command=sleep 60
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import psutil
import pytest

from consumer.local import demo, server
from consumer.local import orders as order_file
from consumer.message import client
from consumer.process import pulse
from support.programs import wait_until


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """Twenty short orders: one fails once, one twice, one is refused each time."""
    some: list[dict[str, Any]] = [{"order_id": f"R-{number:04d}", "seconds": 40 + 5 * number} for number in range(20)]
    some[2]["unavailable"] = 1
    some[4]["unavailable"] = 2
    some[6]["unknown"] = True
    path = tmp_path / "orders.jsonl"
    path.write_text("".join(json.dumps(order) + "\n" for order in some))
    return path


def start(*arguments: str, own_server: str = "") -> subprocess.Popen[str]:
    environ = {name: value for name, value in os.environ.items() if name != server.ENDPOINT}
    environ |= {server.ENDPOINT: own_server} if own_server else {}
    return subprocess.Popen(
        [sys.executable, "-m", "consumer", "demo", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
        start_new_session=True,
    )


def family(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def alive(processes: list[psutil.Process]) -> list[int]:
    """Leave out the dead whom nobody has buried yet: orphans wait for the machine's own PID 1."""
    return [one.pid for one in processes if pulse.started(one.pid)]


def ctrl_c(process: subprocess.Popen[str]) -> None:
    """Do what a terminal does: the whole foreground group is told, not the demo alone."""
    os.killpg(process.pid, signal.SIGINT)


def test_every_order_is_accounted_for(orders: Path) -> None:
    with start("--json", "--processes", "4", "--orders", str(orders)) as process:
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, "")
    result = json.loads(stdout)
    counts = {name: result[name] for name in ("sent", "handled", "lost", "duplicates", "retried", "dead", "remaining")}
    assert counts == {
        "sent": 20, "handled": 19, "lost": 0, "duplicates": 0, "retried": 3, "dead": 1, "remaining": 0,
    }  # fmt: skip
    assert (result["processes"], result["given_back"], result["exit_code"]) == (4, 0, 0)
    assert 0.3 < result["efficiency"] <= 1
    assert result["pss_total_mb"] > 4 * result["pss_per_process_mb"] > 0
    assert Path(result["log"]).is_file()


def test_a_server_of_ones_own_is_used_and_left_clean(orders: Path, sqs_server: str) -> None:
    with start("--json", "--processes", "4", "--orders", str(orders), own_server=sqs_server) as process:
        wait_until(lambda: family(process.pid), "the container starts")
        assert not any("roto" in child.name() for child in family(process.pid))
        stdout, _ = process.communicate(timeout=60)
    assert json.loads(stdout)["handled"] == 19
    assert "QueueUrls" not in client.control().list_queues(QueueNamePrefix="consumer-demo-")


def test_ctrl_c_drains_and_says_what_remains(orders: Path) -> None:
    with start("--processes", "2", "--orders", str(orders)) as process:
        assert process.stdout is not None
        seen = ""
        for line in process.stdout:
            seen += line
            if re.search(r"[1-9]\d* of 20 handled", line):
                break
        started = family(process.pid)
        ctrl_c(process)
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (130, "")
    handled = int(re.search(r"handled +(\d+)", stdout)[1])  # type: ignore[index]
    dead = int(re.search(r"dead +(\d+)", stdout)[1])  # type: ignore[index]
    assert f"{20 - handled - dead} of 20 orders remained in the queue" in stdout
    assert "None is lost." in stdout
    assert len(started) >= 4  # the server, the container, its two processes
    assert not alive(started)


def test_ctrl_c_before_the_container_is_up_is_as_clean(orders: Path) -> None:
    with start("--processes", "2", "--orders", str(orders)) as process:
        assert process.stdout is not None
        assert "20 orders" in process.stdout.readline()
        ctrl_c(process)
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (130, ""), stdout
    assert "20 of 20 orders remained" in stdout


def test_ctrl_c_twice_ends_everything_at_once_and_loses_nothing(orders: Path) -> None:
    with start("--json", "--processes", "2", "--orders", str(orders)) as process:
        wait_until(lambda: len(family(process.pid)) >= 4, "the processes run")
        started = family(process.pid)
        ctrl_c(process)
        process.send_signal(signal.SIGTERM)  # another signal: two of a kind may reach the process as one
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (130, "")
    result = json.loads(stdout)
    assert (result["interrupted"], result["lost"]) == (True, 0)
    assert not alive(started)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("raise ImportError('no module named reports')", "no module named reports"),
        ("import os\ndef fetch_report(message):\n    os._exit(9)\nos._exit(9)", "exit code"),
    ],
)
def test_a_container_that_dies_at_once_is_explained(
    source: str,
    says: str,
    orders: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "orders.py").write_text(source)
    monkeypatch.delenv(server.ENDPOINT, raising=False)
    monkeypatch.setattr(order_file, "EXAMPLES", tmp_path)
    assert demo.main(Namespace(json=False, chaos=False, processes=2, orders=orders)) == 1
    said = capsys.readouterr().err
    assert "expected the container to drain the queue; it left with exit code" in said
    assert says in said
    assert "To do: " in said
    assert "container.log" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--processes", "0"], "--processes: expected 1 or more; got 0"),
        (["--orders", "no-such-file"], "expected a file of orders at no-such-file"),
    ],
)
def test_a_wrong_argument_is_an_error_for_people(arguments: list[str], says: str) -> None:
    with start(*arguments) as process:
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert says in stderr
    assert "Traceback" not in stderr


def test_with_chaos_processes_are_killed_and_every_report_is_written_once(orders: Path) -> None:
    with start("--json", "--chaos", "--processes", "4", "--orders", str(orders)) as process:
        stdout, stderr = process.communicate(timeout=100)
    assert (process.returncode, stderr) == (0, "")
    result = json.loads(stdout)
    counts = {name: result[name] for name in ("sent", "handled", "lost", "written_twice", "dead", "remaining")}
    assert counts == {"sent": 20, "handled": 19, "lost": 0, "written_twice": 0, "dead": 1, "remaining": 0}
    assert result["killed"] > 0
    log = Path(result["log"]).read_text()
    assert log.count("ended: killed by SIGKILL") == result["killed"], "each of them is named in the log"


def test_with_chaos_people_are_told_of_the_kills(orders: Path) -> None:
    with start("--chaos", "--processes", "2", "--orders", str(orders)) as process:
        stdout, _ = process.communicate(timeout=100)
    assert re.search(r"[1-9]\d* processes were killed meanwhile: nothing was lost, nothing was written twice", stdout)
    assert re.search(r"twice +0 +reports written", stdout)

"""`consumer calibrate` beside a container at work: its figures are what the plan reads."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from consumer.fleet.planning import calibration
from support.programs import Program

if TYPE_CHECKING:
    from pathlib import Path

    from support.queues import Queues


def test_what_a_container_takes_is_watched_and_the_plan_reads_it(
    queues: Queues, env: dict[str, str], tmp_path: Path
) -> None:
    with Program(tmp_path, "up", env=env) as container:
        container.ready(2)
        watching = subprocess.Popen(
            [sys.executable, "-m", "consumer", "calibrate", "--seconds", "6"],
            env=container.env, cwd="tests", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert watching.stderr
        assert "watching for 6 s" in watching.stderr.readline()
        queues.send({"spin": 1, "mib": 40, "sleep": 30})
        shown, said = watching.communicate(timeout=60)
        assert watching.returncode == 0, said
        container.terminate()
    path = tmp_path / "calibrated.json"
    path.write_text(shown)
    found = calibration.read(path)
    assert found.known == {
        "container_mib", "container_cpu", "process_mib", "alone_mib", "message_mib", "message_cpu",
    }  # fmt: skip
    assert 38 < found.message_mib < 60, "a message held 40 MiB"
    assert 0.05 < found.message_cpu < 1, "and worked for a second of the few in which it was watched"
    assert found.process_mib < found.alone_mib, "a forked process shares the application"
    assert "0 runs that succeeded" in said
    plan = [sys.executable, "-m", "consumer", "plan", "--messages", "2000", "--seconds", "30..300", "--from", "04:00",
            "--by", "09:00", "--calibrated", str(path), "--json"]  # fmt: skip
    assert json.loads(subprocess.run(plan, check=True, capture_output=True, text=True).stdout)

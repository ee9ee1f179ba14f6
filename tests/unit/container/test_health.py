from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from consumer.container.health import verdict
from consumer.process import pulse

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_000_000.0


def life(**facts: Any) -> dict[str, Any]:
    return {
        "state": "idle", "beat": NOW - 1, "started": NOW - 3600, "last_receive": NOW - 10,
        "processes": 4, "pulse_timeout": 45.0, **facts,
    }  # fmt: skip


STALE = life(beat=NOW - 46)
DEAF = life(last_receive=NOW - 301)


def test_fresh_processes_that_hear_from_the_queue_are_healthy() -> None:
    assert verdict([life()] * 4, NOW)[0]


def test_half_of_the_processes_suffice_and_fewer_do_not() -> None:
    assert verdict([life(), life(), STALE, STALE], NOW)[0]
    assert verdict([life(), STALE, STALE, STALE], NOW) == (False, "1 of 4 processes have a fresh sign of life")


def test_dead_lives_do_not_count() -> None:
    assert not verdict([life()], NOW)[0]
    assert verdict([], NOW) == (False, "no process shows a sign of life")


def test_no_sign_of_life_at_all_is_unhealthy() -> None:
    assert verdict([], NOW) == (False, "no process shows a sign of life")


def test_a_database_that_is_away_is_no_reason_to_replace_the_container() -> None:
    waiting = DEAF | {"trouble": "the ledger's database is away"}
    assert verdict([waiting] * 4, NOW) == (
        True,
        "4 of 4 processes have a fresh sign of life; the ledger's database is away",
    )
    assert not verdict([waiting, DEAF], NOW)[0]


def test_silence_of_the_queue_for_five_minutes_is_unhealthy_unless_somebody_is_busy() -> None:
    assert not verdict([DEAF] * 4, NOW)[0]
    assert verdict([DEAF, DEAF, DEAF, life()], NOW)[0]
    assert verdict([DEAF, DEAF, DEAF, life(state="busy", last_receive=NOW - 900)], NOW)[0]
    assert not verdict([DEAF, DEAF, DEAF, life(state="busy", last_receive=NOW - 900, beat=NOW - 60)], NOW)[0]


def test_a_process_that_was_never_answered_has_five_minutes_from_its_start() -> None:
    assert verdict([life(last_receive=None, started=NOW - 299)] * 4, NOW)[0]
    assert not verdict([life(last_receive=None, started=NOW - 301)] * 4, NOW)[0]


def test_quiet_processes_are_not_expected_to_hear_anything() -> None:
    assert verdict([life(state="quiet", last_receive=NOW - 900)] * 4, NOW)[0]
    assert not verdict([life(state="quiet"), DEAF, DEAF, DEAF], NOW)[0]


def test_a_process_that_asks_again_has_five_minutes_from_then() -> None:
    long_ago = NOW - 900  # it was quiet since, or busy
    assert verdict([life(last_receive=long_ago, idle_since=NOW - 299)] * 4, NOW)[0]
    assert not verdict([life(last_receive=long_ago, idle_since=NOW - 301)] * 4, NOW)[0]


def test_the_newest_process_knows_how_many_there_are_to_be() -> None:
    assert not verdict([life(), life(processes=8, started=NOW - 1)], NOW)[0]


@pytest.mark.parametrize(("beat_before", "code", "says"), [(1, 0, "healthy: 1 of 1"), (60, 1, "unhealthy: 0 of 1")])
def test_the_command_says_why_and_exits_accordingly(tmp_path: Path, beat_before: float, code: int, says: str) -> None:
    now = float(subprocess.run(["date", "+%s"], capture_output=True, text=True, check=True).stdout)
    facts = life(pid=os.getpid(), start_ticks=pulse.started(os.getpid()), processes=1)
    facts |= {"name": "worker_00", "in_hand": {}, "beat": now - beat_before, "started": now, "last_receive": now}
    (tmp_path / f"worker_00.{facts['pid']}.{facts['start_ticks']}.json").write_text(json.dumps(facts))
    done = health({"CONSUMER_RUN_DIR": str(tmp_path)})
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.startswith(says)


def test_an_unreadable_run_directory_is_unhealthy_and_not_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = health({"CONSUMER_RUN_DIR": str(tmp_path / "file" / "run")})
    assert done.returncode == 1
    assert done.stdout.startswith("unhealthy: CONSUMER_RUN_DIR: expected a folder")
    assert done.stderr == ""


def health(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "consumer", "health"]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)

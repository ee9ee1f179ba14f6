from __future__ import annotations

import errno
import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from consumer.process.pulse import Pulse, lives, living, path_of, read, started

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def sign(tmp_path: Path) -> Pulse:
    return Pulse(tmp_path, "worker_00", lambda: 1_700_000_000.0, processes=4, pulse_timeout=45.0)


def test_a_life_has_a_file_of_its_own_named_by_process_pid_and_start(sign: Pulse, tmp_path: Path) -> None:
    assert living(tmp_path) == []
    sign.write()
    assert sign.path == tmp_path / f"worker_00.{os.getpid()}.{started(os.getpid())}.json"
    assert list(tmp_path.iterdir()) == [sign.path]


def test_what_is_written_is_what_machines_may_read(sign: Pulse, tmp_path: Path) -> None:
    sign.hold("k", message_id="m1", receipt_handle="h", attempt=1, since=5.0, lease_until=95.0)
    sign.write(state="busy", handled=3)
    (life,) = living(tmp_path)
    assert life["name"] == "worker_00"
    assert (life["state"], life["handled"], life["beat"]) == ("busy", 3, 1_700_000_000.0)
    assert (life["processes"], life["pulse_timeout"]) == (4, 45.0)
    assert life["in_hand"] == {
        "k": {"message_id": "m1", "receipt_handle": "h", "attempt": 1, "since": 5.0, "lease_until": 95.0}
    }


def test_a_file_is_replaced_whole_and_never_rewritten_in_place(sign: Pulse) -> None:
    sign.write()
    with sign.path.open() as reader:
        sign.write(handled=1)
        assert json.load(reader)["handled"] == 0
        assert reader.fileno() != -1
    assert json.loads(sign.path.read_text())["handled"] == 1


def test_hold_adds_and_drop_takes_away_and_both_are_on_disk_at_once(sign: Pulse) -> None:
    def held() -> dict[str, dict[str, object]]:
        found: dict[str, dict[str, object]] = json.loads(sign.path.read_text())["in_hand"]
        return found

    sign.hold("a", lease_until=90)
    sign.hold("b", lease_until=90)
    sign.hold("a", lease_until=120)
    assert held() == {"a": {"lease_until": 120}, "b": {"lease_until": 90}}
    sign.drop("a")
    assert held() == {"b": {"lease_until": 90}}
    sign.drop("a")


def test_a_life_that_ends_in_order_takes_its_file_with_it(sign: Pulse, tmp_path: Path) -> None:
    sign.write()
    sign.end()
    sign.end()
    assert living(tmp_path) == []


def test_a_run_directory_that_is_gone_is_noted_and_stops_nothing(sign: Pulse, tmp_path: Path) -> None:
    sign.write()
    assert sign.trouble is None
    shutil.rmtree(tmp_path)
    sign.hold("a", lease_until=90)
    sign.drop("a")
    assert isinstance(sign.trouble, FileNotFoundError)
    tmp_path.mkdir()
    sign.write()
    assert sign.trouble is None


def test_a_full_run_directory_is_noted_and_the_sign_of_life_goes_on_where_it_is(
    sign: Pulse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign.write()
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda *_: 1)
        sign.hold("a", lease_until=90)
        assert read(sign.path)["in_hand"] == {"a": {"lease_until": 90}}
        sign.drop("a")
        assert read(sign.path)["in_hand"] == {}
        assert sign.trouble is not None
        assert sign.trouble.errno == errno.ENOSPC
        assert list(tmp_path.iterdir()) == [sign.path], "what was begun takes no room"
    sign.write()
    assert sign.trouble is None


def test_what_does_not_fit_into_a_full_run_directory_does_not_make_its_process_seem_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter((95.0, 100.0, 105.0, 110.0))  # of its start, and of three signs
    sign = Pulse(tmp_path, "worker_00", lambda: next(times))
    sign.write()
    monkeypatch.setattr(os, "write", lambda *_: 1)
    sign.hold("a", receipt_handle="h" * 100_000)
    (life,) = living(tmp_path)
    assert (life["beat"], life["in_hand"]) == (105.0, {})
    sign.drop("a")
    assert living(tmp_path)[0]["beat"] == 110.0


def test_a_pid_that_has_come_round_again_is_another_life(sign: Pulse, tmp_path: Path) -> None:
    sign.write()
    earlier = sign.path.rename(path_of(tmp_path, {**sign.facts, "start_ticks": 7}))
    assert living(tmp_path) == []
    assert list(lives(tmp_path, over=True)) == [earlier]
    assert read(earlier)["name"] == "worker_00"


def test_a_process_that_is_gone_or_only_waits_to_be_reaped_is_not_alive(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert started(child) is None
    os.waitpid(child, 0)
    assert started(child) is None
    assert living(tmp_path) == []


def test_a_command_s_name_with_spaces_and_brackets_does_not_confuse_the_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = tmp_path / "stat"
    fields = " ".join(str(number) for number in range(4, 22))
    stat.write_text(f"7 (a) Z (b c) S {fields} 4242 0 0")
    real = os.open
    monkeypatch.setattr(os, "open", lambda _, flags: real(stat, flags))
    assert started(7) == 4242


def test_what_is_no_sign_of_life_is_passed_over(sign: Pulse, tmp_path: Path) -> None:
    (tmp_path / "half.1.2.json").write_text('{"pid": ')
    (tmp_path / "supervisord.pid").write_text("1")
    (tmp_path / "other.1.2.json").write_text("[1]")
    (tmp_path / "other.3.4.json").write_text('{"name": "other"}')
    sign.write()
    assert [life["name"] for life in living(tmp_path)] == ["worker_00"]


def test_lives_are_read_in_the_order_of_their_processes(tmp_path: Path) -> None:
    for name in ("worker_02", "worker_00", "worker_01"):
        Pulse(tmp_path, name, lambda: 0.0).write()
    assert [life["name"] for life in living(tmp_path)] == ["worker_00", "worker_01", "worker_02"]

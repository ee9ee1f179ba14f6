from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

import pytest

from consumer.desk import drain, resume
from consumer.process import quiet
from consumer.process.pulse import Pulse
from consumer.testing import FakeClock

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pulse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pulse:
    """One process of a container: this test's own."""
    monkeypatch.setenv("CONSUMER_RUN_DIR", str(tmp_path))
    made = Pulse(tmp_path, "worker_00", lambda: 1_700_000_000.0)
    made.write(state="idle")
    return made


def drained(*, wait: bool = False) -> int:
    return drain.main(Namespace(wait=wait, timeout=60.0))


class Passing(FakeClock):
    """Time in which something happens after a while."""

    def __init__(self, seconds: float, happens: Any) -> None:
        super().__init__()
        self._happens_at, self._happens = self.monotonic() + seconds, happens

    def block(self, seconds: float) -> None:
        super().block(seconds)
        if self.monotonic() >= self._happens_at:
            self._happens()


def test_the_container_is_quiet_until_it_is_told_to_resume(pulse: Pulse, tmp_path: Path) -> None:
    assert drained() == 0
    assert quiet.holds(tmp_path)
    assert drained() == 0, "told twice it is as quiet"
    pulse.write(state="quiet")
    assert resume.main(Namespace()) == 0
    assert not quiet.holds(tmp_path)
    assert resume.main(Namespace()) == 0


@pytest.mark.parametrize("command", [drained, lambda: resume.main(Namespace())])
def test_where_no_container_runs_nothing_is_left_behind(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONSUMER_RUN_DIR", str(tmp_path))
    assert command() == 1
    assert "CONSUMER_RUN_DIR: expected a running container's" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_waiting_ends_when_nothing_is_in_hand_and_no_receive_is_under_way(
    pulse: Pulse, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Passing(20, lambda: pulse.write(state="quiet"))
    monkeypatch.setattr(drain, "Clock", lambda: clock)
    assert drained(wait=True) == 0
    assert clock.monotonic() == 1020


def test_the_wait_s_end_says_what_is_still_in_hand(
    pulse: Pulse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pulse.hold("k", message_id="m1")
    pulse.write(state="quiet")
    monkeypatch.setattr(drain, "Clock", FakeClock)
    assert drained(wait=True) == 1
    assert "is quiet, in hand: m1" in capsys.readouterr().err

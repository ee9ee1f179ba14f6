from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from consumer.errors import ConsumerError
from consumer.local import server
from consumer.local.container import variables
from consumer.local.interrupt import Interrupt
from consumer.testing import FakeClock

if TYPE_CHECKING:
    from pathlib import Path


def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(ConsumerError, match=r"pip install 'consumer\[demo\]'"):
        server.program()


def test_a_server_that_does_not_start_is_an_error_with_its_own_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(server.ENDPOINT, raising=False)
    program = tmp_path / "roto-server"
    program.write_text("#!/bin/sh\necho no room at all >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(server, "program", lambda: str(program))
    with pytest.raises(ConsumerError, match="no room at all"), server.serving(tmp_path, FakeClock()):
        pass


def test_settings_meant_for_another_container_do_not_reach_the_demos() -> None:
    environ = {"CONSUMER_CONCURRENCY": "50", "PATH": "/bin", "AWS_REGION": "eu-west-1"}
    found = variables({"CONSUMER_PROCESSES": "2"}, environ)
    assert "CONSUMER_CONCURRENCY" not in found
    assert (found["PATH"], found["AWS_REGION"], found["CONSUMER_PROCESSES"]) == ("/bin", "eu-west-1", "2")


def test_a_changed_environment_is_as_it_was_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.delenv("NO_PROXY", raising=False)
    with server.environment({"AWS_PROFILE": "", "NO_PROXY": "localhost"}):
        assert os.environ.get("AWS_PROFILE") is None
        assert os.environ["NO_PROXY"] == "localhost"
    assert os.environ["AWS_PROFILE"] == "mine"
    assert "NO_PROXY" not in os.environ


def test_a_second_request_to_stop_is_told_from_the_first() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupt() as interrupt:
        assert not interrupt.asked
        signal.raise_signal(signal.SIGINT)
        assert interrupt.asked
        assert not interrupt.insisted
        signal.raise_signal(signal.SIGTERM)
        assert interrupt.insisted
    assert signal.getsignal(signal.SIGINT) == before

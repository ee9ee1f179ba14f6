from __future__ import annotations

import os

import hypothesis
import pytest

from consumer.process import handlers
from consumer.testing import FakeClock

hypothesis.settings.register_profile("unit", max_examples=60, deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("unit")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting and no account of the machine that runs the tests, and no handler of another test."""
    handlers.load.cache_clear()
    for name in list(os.environ):
        if name.startswith(("CONSUMER_", "AWS_", "ECS_", "SUPERVISOR_")):
            monkeypatch.delenv(name)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()

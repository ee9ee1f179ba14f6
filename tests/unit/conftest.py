from __future__ import annotations

import os

import hypothesis
import pytest

from consumer.process import handlers
from consumer.testing import FakeClock

# The same examples each time, so that what passes once passes always; a busy machine is no failure. To look for what
# they miss: HYPOTHESIS_PROFILE=search, now and then.
hypothesis.settings.register_profile("unit", max_examples=60, deadline=None, derandomize=True)
hypothesis.settings.register_profile("search", max_examples=2000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unit"))


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

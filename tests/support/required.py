"""What only some machines have. Where it was installed for the tests, a test that is skipped for want of it fails."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def absent(what: str, why: str) -> NoReturn:
    """Skip a test for want of something; fail it where REQUIRE_<WHAT>_TESTS is set, as .ci/run does."""
    variable = f"REQUIRE_{what}_TESTS"
    if os.environ.get(variable):
        pytest.fail(f"{variable} is set: {why}", pytrace=False)
    pytest.skip(why)

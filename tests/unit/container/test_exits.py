from __future__ import annotations

import signal

import pytest

from consumer.container.exits import code_of, explained
from consumer.process.stop import Leaving


def test_a_signal_is_128_and_its_number() -> None:
    assert code_of(signal.SIGKILL) == 137
    assert code_of(3 << 8) == 3
    assert code_of(0) == 0


def test_every_way_of_leaving_is_explained() -> None:
    for leaving in Leaving:
        assert explained(leaving.value).startswith(f"exit code {leaving.value}: ")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (137, "killed by SIGKILL; perhaps out of memory?"),
        (143, "killed by SIGTERM"),
        (1, "exit code 1"),
        (255, "exit code 255"),
    ],
)
def test_signals_are_named_and_hints_given(code: int, text: str) -> None:
    assert explained(code) == text

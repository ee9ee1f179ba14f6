"""Measured figures: what is read wins, what is left out says that it is a default, what is wrong is named."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from consumer.errors import PlanError
from consumer.fleet.planning import calibration
from consumer.fleet.planning.calibration import FIGURES, Calibration

if TYPE_CHECKING:
    from pathlib import Path


def file(folder: Path, content: Any) -> Path:
    path = folder / "calibrated.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_the_defaults_are_what_sixteen_processes_held_in_the_image() -> None:
    bare = Calibration(message_mib=0)
    assert bare.memory(16, 1) == pytest.approx(301)
    assert Calibration().memory(16, 1) == pytest.approx(301 + 16 * 50)
    assert Calibration().memory(4, 8) == pytest.approx(85 + 4 * 13.5 + 32 * 50)
    assert Calibration().cpu(16, 1, turn=150) == pytest.approx(0.005 + 16 * (0.01 + 0.00005))
    assert Calibration().cpu(16, 1, turn=0.5) == pytest.approx(0.005 + 16 * (0.01 + 0.015))


def test_a_default_says_that_it_is_one_and_what_the_handler_takes_is_a_guess() -> None:
    found = Calibration()
    assert {name: found.source(name).split(":")[0] for name in FIGURES} == dict.fromkeys(FIGURES, "default")
    assert "guess" in found.source("message_mib")
    assert "guess" not in found.source("process_mib")
    assert not found.trusted


def test_what_is_measured_wins_and_says_when(tmp_path: Path) -> None:
    found = calibration.read(file(tmp_path, {"measured": "2026-11-20T08:00:00Z", "message_mib": 80}))
    assert (found.message_mib, found.process_mib) == (80.0, 13.5)
    assert found.measured == dt.date(2026, 11, 20)
    assert found.source("message_mib") == "measured 2026-11-20"
    assert found.source("message_cpu").startswith("default")
    assert not found.trusted


def test_a_handler_is_known_once_its_memory_and_its_cpu_are(tmp_path: Path) -> None:
    assert calibration.read(
        file(tmp_path, {"measured": "2026-11-20", "message_mib": 80, "message_cpu": 0.02, "alone_mib": 120})
    ).trusted


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "expected a JSON file like"),
        ("[" * 100_000, "expected a JSON file like"),
        ([], "expected a JSON object like"),
        ({"message_mib": 80}, "measured: expected a day such as 2026-11-20; got None"),
        ({"measured": "yesterday", "message_mib": 80}, "got 'yesterday'"),
        ({"measured": "2026-11-20"}, "expected at least one of container_mib"),
        ({"measured": "2026-11-20", "mesage_mib": 80}, "got mesage_mib. To do: write message_mib"),
        ({"measured": "2026-11-20", "known": 80}, "got known"),
        ({"measured": "2026-11-20", "message_mib": -1}, "message_mib: expected a number from 0 to 1,000,000; got -1"),
        (
            {"measured": "2026-11-20", "message_mib": 10**400},
            "message_mib: expected a number from 0 to 1,000,000; got 1",
        ),
        ({"measured": "2026-11-20", "message_mib": True}, "got True"),
        ({"measured": "2026-11-20", "message_cpu": float("nan")}, "got nan"),
        ({"measured": "2026-11-20", "message_cpu": float("inf")}, "got inf"),
        ({"measured": "2026-11-20", "message_cpu": None}, "got None"),
    ],
)
def test_a_wrong_file_is_refused_and_the_figure_is_named(content: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(PlanError) as caught:
        calibration.read(file(tmp_path, content))
    assert said in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"--calibrated: expected a JSON file .*none.json"):
        calibration.read(tmp_path / "none.json")

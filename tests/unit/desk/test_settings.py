from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import pytest

from consumer.desk import settings as desk
from consumer.desk.table import table
from consumer.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def required(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONSUMER_QUEUE_URL", "https://user:secret@host/1/orders")
    monkeypatch.setenv("CONSUMER_HANDLER", "app:handle")
    monkeypatch.setenv("CONSUMER_RUN_DIR", str(tmp_path))


def run(*, export: bool = False, as_json: bool = False) -> int:
    return desk.main(Namespace(export=export, json=as_json))


def test_the_settings_page_is_not_stale() -> None:
    assert desk.reference() == PAGE.read_text(), "run scripts/settings-reference"


def test_the_settings_page_names_every_setting() -> None:
    lines = desk.reference().splitlines()
    assert len([line for line in lines if line.startswith("| `CONSUMER_")]) == len(Settings.model_fields)
    assert "PydanticUndefined" not in desk.reference()


def test_every_setting_is_shown_with_its_value_and_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    shown = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert set(shown) == {"name", *(f"CONSUMER_{name.upper()}" for name in Settings.model_fields)}
    assert shown["CONSUMER_HANDLER"][1:3] == ["app:handle", "environment"]
    assert shown["CONSUMER_LIMIT"][1:3] == ["100", "default"]
    assert shown["CONSUMER_MEMORY_LIMIT"][1:3] == ["auto", "default"]


def test_a_password_is_shown_nowhere(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    run(as_json=True)
    monkeypatch.setenv("CONSUMER_DATABASE_URL", "postgresql://user:secret@host/db")
    monkeypatch.setenv("CONSUMER_LIMIT", "x")
    assert run() == 64
    printed = capsys.readouterr()
    assert "secret" not in printed.out + printed.err
    assert "https://***@host/1/orders" in printed.out


def test_machines_are_told_values_and_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(as_json=True) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["CONSUMER_LIMIT"] == {"value": "100", "source": "default"}


def test_supervisord_s_environment_is_exported(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(export=True) == 0
    assert capsys.readouterr().out.splitlines() == [
        "CONSUMER_PROCESSES=4", "CONSUMER_STOP_WAIT_SECONDS=105", f"CONSUMER_RUN_DIR={tmp_path}",
    ]  # fmt: skip


def test_wrong_settings_are_told_on_stderr_with_code_64(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSUMER_LIMIT", "x")
    assert run() == 64
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("CONSUMER_LIMIT: expected")


def test_warnings_go_to_stderr(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSUMER_FLAVOUR", "x")
    assert run(as_json=True) == 0
    assert "CONSUMER_FLAVOUR" in capsys.readouterr().err


def test_a_table_puts_numbers_to_the_right() -> None:
    assert table(("name", "count"), [("a", 5), ("long name", 1000)]) == (
        "name       count\n"
        "a              5\n"
        "long name   1000"
    )  # fmt: skip
    assert table(("a", "b"), []) == "a  b"

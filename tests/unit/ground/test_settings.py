from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer import environment
from consumer.errors import SettingsError
from consumer.settings import AUTO, Settings
from unit.doubles import settings

REQUIRED = {
    "CONSUMER_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/1/orders",
    "CONSUMER_HANDLER": "app.tasks:handle",
}


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set variables by their names without the prefix."""
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)

    def put(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"CONSUMER_{name}", value)

    return put


def problems() -> list[str]:
    with pytest.raises(SettingsError) as caught:
        environment.load()
    return caught.value.problems


def test_the_defaults_are_the_contract_s(put: Any) -> None:
    put()
    found, warnings = environment.load()
    assert warnings == []
    assert found.queue_url == REQUIRED["CONSUMER_QUEUE_URL"]
    assert (found.processes, found.concurrency) == (4, 1)
    assert (found.wait_time_seconds, found.visibility_timeout, found.heartbeat_interval) == (20, 90, 30)
    assert (found.time_limit, found.time_limit_grace) == (900, 10)
    assert (found.limit, found.lifetime, found.memory_limit, found.failure_limit) == (100, 14_400, AUTO, 0)
    assert (found.container_memory, found.jitter, found.stop_timeout) == (0, 0.2, 120)
    assert (found.max_attempts, found.backoff, found.backoff_multiplier, found.backoff_cap) == (5, 30, 3, 900)
    assert (found.body, found.envelope, found.dlq_url, found.without_dlq) == ("json", (), "", "refuse")
    assert (found.deadline, found.timezone) == (None, ZoneInfo("UTC"))
    assert (found.preload, found.database_url, found.run_dir) == ((), None, "")
    assert (found.pulse_timeout, found.patience) == (45, 120)
    assert (found.log_format, found.log_level) == ("json", "info")


def test_what_is_missing_is_named_with_what_to_do() -> None:
    missing = problems()
    assert [one.partition(":")[0] for one in missing] == ["CONSUMER_QUEUE_URL", "CONSUMER_HANDLER"]
    assert missing[0] == "CONSUMER_QUEUE_URL: expected a value; got none. To do: set it; the queue to drain."


def test_an_empty_variable_is_as_good_as_none(put: Any) -> None:
    put(DEADLINE="", LIMIT="", QUEUE_URL="")
    assert [one.partition(":")[0] for one in problems()] == ["CONSUMER_QUEUE_URL"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PROCESSES", "0", "at least 1"),
        ("PROCESSES", "many", "a whole number"),
        ("CONCURRENCY", "501", "at most 500"),
        ("WAIT_TIME_SECONDS", "21", "at most 20"),
        ("VISIBILITY_TIMEOUT", "43201", "at most 43200"),
        ("VISIBILITY_TIMEOUT", "1", "at least 2"),
        ("HEARTBEAT_INTERVAL", "0", "more than 0"),
        ("TIME_LIMIT", "39601", "at most 39600"),
        ("STOP_TIMEOUT", "9", "at least 10"),
        ("JITTER", "1", "less than 1"),
        ("JITTER", "nan", "a finite number"),
        ("LIMIT", "-1", "at least 0"),
        ("BODY", "xml", "'json' or 'text'"),
        ("WITHOUT_DLQ", "drop", "'refuse', 'delete' or 'keep'"),
        ("HANDLER", "app.tasks", "module:function"),
        ("HANDLER", "app/tasks.py:handle", "module:function"),
        ("DEADLINE", "25:00", "HH:MM"),
        ("DEADLINE", "06:00+05:00", "HH:MM"),
        ("DEADLINE", "6:00", "HH:MM"),
        ("TIMEZONE", "Mars/Olympus", "a time zone such as UTC or Europe/Paris"),
        ("TIMEZONE", "Europe", "a time zone such as UTC or Europe/Paris"),
        ("TIMEZONE", "../../etc/passwd", "a time zone such as UTC or Europe/Paris"),
        ("MEMORY_LIMIT", "lots", "MiB as 256, 256M or 1G, or auto"),
        ("CONTAINER_MEMORY", "-5", "MiB as 256, 256M or 1G, or auto"),
        ("LOG_LEVEL", "trace", "'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_a_wrong_value_says_what_was_expected_what_was_got_and_what_to_do(
    put: Any, name: str, value: str, expected: str
) -> None:
    put(**{name: value})
    (problem,) = problems()
    assert problem.startswith(f"CONSUMER_{name}: expected ")
    assert expected in problem
    assert f"got '{value}'" in problem
    assert "To do: correct it; " in problem


FLOATS = [name for name, field in Settings.model_fields.items() if "float" in str(field.annotation)]


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("value", ["inf", "nan", "1e400"])
def test_no_number_is_infinite(put: Any, name: str, value: str) -> None:
    put(**{name.upper(): value})
    with pytest.raises(SettingsError, match=f"CONSUMER_{name.upper()}: expected .*; got '{value}'"):
        environment.load()


def test_every_problem_is_told_at_once(put: Any) -> None:
    put(LIMIT="x", LIFETIME="y", HANDLERS="z")
    assert len(problems()) == 3


@pytest.mark.parametrize(
    ("given", "mib"),
    [
        ("256", 256),
        ("256M", 256),
        ("256 MiB", 256),
        ("256mb", 256),
        ("1G", 1024),
        ("0.5GiB", 512),
        ("512K", 0.5),
        ("0", 0),
    ],
)
def test_memory_is_given_in_mib_or_with_a_unit(put: Any, given: str, mib: float) -> None:
    put(MEMORY_LIMIT=given, CONTAINER_MEMORY=given)
    found, _ = environment.load()
    assert found.memory_limit == found.container_memory == mib


def test_a_memory_limit_of_auto_is_the_default_in_words(put: Any) -> None:
    put(MEMORY_LIMIT=" AUTO ")
    assert environment.load()[0].memory_limit == AUTO


def test_a_container_s_memory_cannot_be_auto(put: Any) -> None:
    put(CONTAINER_MEMORY="auto")
    (problem,) = problems()
    assert problem.startswith("CONSUMER_CONTAINER_MEMORY: expected ")


def test_lists_are_separated_by_commas(put: Any) -> None:
    put(ENVELOPE=" sns, s3 ,", PRELOAD="app.models,app.clients")
    found, _ = environment.load()
    assert found.envelope == ("sns", "s3")
    assert found.preload == ("app.models", "app.clients")


def test_the_deadline_is_a_time_of_day(put: Any) -> None:
    put(DEADLINE="09:00", TIMEZONE="Europe/Paris")
    found, _ = environment.load()
    assert (found.deadline, found.timezone) == (time(9), ZoneInfo("Europe/Paris"))


def test_a_short_lease_brings_its_own_renewal_and_pulse_timeout(put: Any) -> None:
    put(VISIBILITY_TIMEOUT="6")
    found, _ = environment.load()
    assert (found.heartbeat_interval, found.pulse_timeout) == (2, 3)


def test_a_short_stop_timeout_brings_its_own_long_poll(put: Any) -> None:
    put(STOP_TIMEOUT="30")
    found, _ = environment.load()
    assert (found.drain_seconds, found.stop_wait_seconds, found.wait_time_seconds) == (20, 22, 15)


def test_a_wrong_lease_is_one_problem_and_not_one_for_each_default_that_follows_from_it(put: Any) -> None:
    put(VISIBILITY_TIMEOUT="x", STOP_TIMEOUT="y")
    assert [one.partition(":")[0] for one in problems()] == ["CONSUMER_STOP_TIMEOUT", "CONSUMER_VISIBILITY_TIMEOUT"]


@given(stop=st.floats(10, 43_200), lease=st.integers(2, 43_200))
def test_the_defaults_fit_any_stop_timeout_and_lease(stop: float, lease: int) -> None:
    found = settings(stop_timeout=stop, visibility_timeout=lease)
    assert environment.combinations(found) == []
    assert 0 < found.drain_seconds < found.stop_wait_seconds < found.stop_timeout - 5


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"HEARTBEAT_INTERVAL": "31"}, "CONSUMER_HEARTBEAT_INTERVAL with CONSUMER_VISIBILITY_TIMEOUT"),
        ({"STOP_TIMEOUT": "30", "WAIT_TIME_SECONDS": "16"}, "CONSUMER_WAIT_TIME_SECONDS with CONSUMER_STOP_TIMEOUT"),
        ({"PULSE_TIMEOUT": "60"}, "CONSUMER_PULSE_TIMEOUT with CONSUMER_VISIBILITY_TIMEOUT and"),
        ({"ENVELOPE": "sns,sqs"}, "CONSUMER_ENVELOPE"),
        ({"DATABASE_URL": "mysql://u:secret@db/x"}, "CONSUMER_DATABASE_URL"),
        ({"DATABASE_URL": "sqlite://"}, "CONSUMER_DATABASE_URL"),
        ({"DATABASE_URL": "sqlite:///:memory:"}, "CONSUMER_DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://u:secret@db:x/x"}, "CONSUMER_DATABASE_URL"),
    ],
)
def test_what_does_not_go_together_is_refused_naming_both(put: Any, values: dict[str, str], names: str) -> None:
    put(**values)
    (problem,) = problems()
    assert problem.startswith(names)
    assert "; got " in problem
    assert "To do: " in problem
    assert "secret" not in problem


@pytest.mark.parametrize(
    ("values"),
    [{"HEARTBEAT_INTERVAL": "30"}, {"STOP_TIMEOUT": "30", "WAIT_TIME_SECONDS": "15"}, {"PULSE_TIMEOUT": "59.9"}],
)
def test_what_just_goes_together_is_taken(put: Any, values: dict[str, str]) -> None:
    put(**values)
    environment.load()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("CONSUMER_QUEUE", "CONSUMER_QUEUE_URL"),
        ("CONSUMER_VISIBILTY_TIMEOUT", "CONSUMER_VISIBILITY_TIMEOUT"),
        ("CONSUMER_HANDLERS", "CONSUMER_HANDLER"),
        ("CONSUMER_TIMELIMIT", "CONSUMER_TIME_LIMIT"),
    ],
)
def test_a_name_that_is_near_a_known_one_is_an_error_with_the_hint(
    put: Any, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    put()
    monkeypatch.setenv(name, "1")
    (problem,) = problems()
    assert problem.startswith(f"{name}: expected a known name")
    assert f"rename it if {meant} is meant" in problem


def test_any_other_unknown_name_is_a_warning_and_ours_are_none(put: Any) -> None:
    put(FLAVOUR="strawberry", LOG_FD="7", STOP_WAIT_SECONDS="105")
    _, warnings = environment.load()
    (warning,) = warnings
    assert warning.startswith("CONSUMER_FLAVOUR is not a setting")


@pytest.mark.parametrize(("seconds", "doubtful"), [("0", False), ("1", True), ("60", False)])
def test_an_empty_queue_that_is_believed_too_soon_is_a_warning(put: Any, seconds: str, *, doubtful: bool) -> None:
    put(EXIT_WHEN_DRAINED=seconds)
    _, warnings = environment.load()
    assert bool(warnings) == doubtful
    assert all(one.startswith("CONSUMER_EXIT_WHEN_DRAINED: expected 60 s or more") for one in warnings)


def test_the_command_line_wins_over_the_environment(put: Any) -> None:
    put(LIMIT="5", LIFETIME="60")
    found, _ = environment.load({"limit": "7", "memory_limit": "1G", "lifetime": None})
    assert (found.limit, found.memory_limit, found.lifetime) == (7, 1024, 60)
    with pytest.raises(SettingsError, match="CONSUMER_LIMIT: expected a whole number"):
        environment.load({"limit": "x"})


def test_the_source_of_a_value_is_told(put: Any) -> None:
    put(LIMIT="5")
    assert environment.source("limit") == "environment"
    assert environment.source("lifetime") == "default"


def test_settings_cannot_be_changed_and_show_no_secret() -> None:
    found = settings(database_url="postgresql://u:secret@db/x")
    assert "secret" not in repr(found)
    assert "secret" not in str(found.model_dump())
    with pytest.raises(ValueError, match="frozen"):
        found.limit = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (30.0, "30"),
        (0.2, "0.2"),
        (("sns", "s3"), "sns,s3"),
        ("https://user:pa@ss@host/queue", "https://***@host/queue"),
        ("https://host/queue", "https://host/queue"),
        (time(9), "09:00:00"),
    ],
)
def test_values_are_shown_for_people(value: object, shown: str) -> None:
    assert environment.shown(value) == shown


def test_a_secret_is_masked_wherever_it_is_shown() -> None:
    found = settings(database_url="postgresql://u:secret@db/x")
    assert environment.shown(found.database_url) == "**********"


def test_a_password_in_a_url_is_masked_in_an_error(put: Any) -> None:
    put(HANDLER="https://u:secret@host/x")
    (problem,) = problems()
    assert "secret" not in problem


def test_every_setting_says_what_it_is() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
        extra = field.json_schema_extra
        assert isinstance(extra, dict)
        assert extra["unit"], name
        assert field.is_required() or field.default_factory is None or extra["default"], name


def test_what_supervisord_asks_for_is_exported() -> None:
    assert environment.exported(settings(processes=8), Path("/run/x")) == {
        "CONSUMER_PROCESSES": "8",
        "CONSUMER_STOP_WAIT_SECONDS": "105",
        "CONSUMER_RUN_DIR": "/run/x",
    }


@pytest.mark.parametrize(
    ("environ", "metrics"),
    [
        ({}, "off"),
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/1"}, "emf"),
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/1", "CONSUMER_LOG_FORMAT": "console"}, "off"),
        ({"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/1", "CONSUMER_METRICS": "off"}, "off"),
        ({"CONSUMER_METRICS": "emf"}, "emf"),
    ],
)
def test_metrics_are_published_on_ecs_and_where_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], metrics: str
) -> None:
    for name, value in {**REQUIRED, "CONSUMER_LOG_FORMAT": "json", **environ}.items():
        monkeypatch.setenv(name, value)
    assert Settings().metrics == metrics


def test_metrics_are_refused_where_the_log_is_for_people(put: Any) -> None:
    put(LOG_FORMAT="console", METRICS="emf")
    (problem,) = problems()
    assert problem.startswith("CONSUMER_METRICS with CONSUMER_LOG_FORMAT: expected JSON lines")

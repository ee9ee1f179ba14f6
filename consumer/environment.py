"""Reads the environment into Settings, or says what is wrong, what was expected, what was got and what to do."""

from __future__ import annotations

import os
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr, ValidationError

from consumer import databaseurl
from consumer.errors import SettingsError, problem
from consumer.settings import PREFIX, Settings, extra

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

KNOWN = {PREFIX + name.upper(): name for name in Settings.model_fields}
PHRASES = {
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "int_parsing": "a whole number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "string_pattern_mismatch": "{unit}",
    "time_parsing": "{unit}",
}  # by pydantic's type of error
COUNTS_LAG = 60.0  # seconds; SQS: approximate counts are right a minute after the last change
PASSED_ON = {"CONSUMER_STOP_WAIT_SECONDS", "CONSUMER_LOG_FD"}  # set by `consumer up` for its processes; not settings


def load(overrides: Mapping[str, Any] | None = None) -> tuple[Settings, list[str]]:
    """Read the settings from the environment; the command line's overrides win.

    Returns the settings, and warnings of names that mean nothing and values that are rarely meant. Raises SettingsError
    with every problem found.
    """
    given = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith(PREFIX)))
    said = tuple((name, value) for name, value in (overrides or {}).items() if value is not None)
    settings, warnings = _load(given, said)
    return settings, list(warnings)


@lru_cache(maxsize=1)  # forked processes share what was read before the fork, as long as their environment is the same
def _load(environ: tuple[tuple[str, str], ...], said: tuple[tuple[str, Any], ...]) -> tuple[Settings, tuple[str, ...]]:
    problems, warnings = _names(dict(environ))
    try:
        settings = Settings(**dict(said))
    except ValidationError as error:
        raise SettingsError([*problems, *_problems(error)]) from None
    problems += combinations(settings)
    if problems:
        raise SettingsError(problems)
    return settings, (*warnings, *_doubts(settings))


def source(field: str) -> str:
    """Say where a setting's value comes from."""
    return "environment" if os.environ.get(PREFIX + field.upper()) else "default"


def combinations(settings: Settings) -> list[str]:
    """Check the rules that hold across settings; return one problem a line."""
    return [*_times(settings), *_choices(settings)]


def _times(settings: Settings) -> Iterator[str]:
    lease, beat, drain = settings.visibility_timeout, settings.heartbeat_interval, settings.drain_seconds
    longest_poll = max(1.0, drain - 5)
    if beat > lease / 3:
        yield problem(
            "CONSUMER_HEARTBEAT_INTERVAL with CONSUMER_VISIBILITY_TIMEOUT",
            expected=f"a renewal at least three times per lease, so at most {lease / 3:g} s",
            got=f"{beat:g} s of {lease} s",
            remedy="renew more often or take a longer lease",
        )
    if settings.wait_time_seconds > longest_poll:
        yield problem(
            "CONSUMER_WAIT_TIME_SECONDS with CONSUMER_STOP_TIMEOUT",
            expected=f"a long poll that ends 5 s before the drain of {drain:g} s does, so at most {longest_poll:g} s",
            got=f"{settings.wait_time_seconds} s",
            remedy="poll for less time or raise the platform's stop timeout (at most 120 s on Fargate)",
        )
    if settings.pulse_timeout >= lease - beat:
        yield problem(
            "CONSUMER_PULSE_TIMEOUT with CONSUMER_VISIBILITY_TIMEOUT and CONSUMER_HEARTBEAT_INTERVAL",
            expected=f"less than the lease minus its renewal interval, so under {lease - beat:g} s",
            got=f"{settings.pulse_timeout:g} s",
            remedy="lower the pulse timeout or take a longer lease",
        )


def _choices(settings: Settings) -> Iterator[str]:
    if settings.database_url is not None and (fault := databaseurl.wrong(settings.database_url.get_secret_value())):
        yield fault
    if settings.metrics == "emf" and settings.log_format != "json":
        yield problem(
            "CONSUMER_METRICS with CONSUMER_LOG_FORMAT", "JSON lines, which CloudWatch reads metrics from",
            settings.log_format, "take json, or no metrics",
        )  # fmt: skip


def _doubts(settings: Settings) -> Iterator[str]:
    if 0 < settings.exit_when_drained < COUNTS_LAG:
        yield problem(
            "CONSUMER_EXIT_WHEN_DRAINED", f"{COUNTS_LAG:g} s or more, since SQS's counts lag for up to a minute",
            f"{settings.exit_when_drained:g} s", "raise it, or the container may leave while a message is on its way",
        )  # fmt: skip


def exported(settings: Settings, folder: Path) -> dict[str, str]:
    """Give what supervisord.conf needs in its environment; `folder` is the run directory."""
    return {
        "CONSUMER_PROCESSES": str(settings.processes),
        "CONSUMER_STOP_WAIT_SECONDS": str(settings.stop_wait_seconds),
        "CONSUMER_RUN_DIR": str(folder),
    }


def shown(value: object) -> str:
    """Render a value for people, secrets masked."""
    if isinstance(value, SecretStr):
        return "**********"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, str) and "@" in value and "://" in value:
        scheme, _, rest = value.partition("://")
        return f"{scheme}://***@{rest.rpartition('@')[2]}"
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _names(environ: Mapping[str, str]) -> tuple[list[str], list[str]]:
    problems, warnings = [], []
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in KNOWN or name in PASSED_ON:
            continue
        near = get_close_matches(name, KNOWN, n=1, cutoff=0.85)
        if near:
            problems.append(
                problem(name, "a known name", "an unknown one", f"rename it if {near[0]} is meant, else drop it")
            )
        else:
            warnings.append(f"{name} is not a setting of this version and is ignored; `consumer settings` lists them")
    return problems, warnings


def _problems(error: ValidationError) -> list[str]:
    problems = []
    for one in error.errors(include_url=False):
        name = PREFIX + str(one["loc"][0]).upper() if one["loc"] else "settings"
        if one["type"] == "missing":
            problems.append(problem(name, "a value", "none", f"set it; {_about(name)}"))
        elif one["type"] != "default_factory_not_called":  # follows from another setting's error
            problems.append(
                problem(name, _expected(name, one), repr(shown(one["input"])), f"correct it; {_about(name)}")
            )
    return problems


def _expected(name: str, error: ErrorDetails) -> str:
    """Say what a value should have been; pydantic's own words where they are plain enough."""
    if phrase := PHRASES.get(error["type"]):
        return phrase.format(**extra(KNOWN[name]), **error.get("ctx", {}))
    return error["msg"].removeprefix("Value error, ").removeprefix("expected ").removeprefix("Input should be ")


def _about(name: str) -> str:
    """Give the first sentence about a setting, to go on a line."""
    text = (Settings.model_fields[KNOWN[name]].description or "").partition(". ")[0].rstrip(".")
    return text[:1].lower() + text[1:]

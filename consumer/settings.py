"""Every knob of the product: name, unit, range, default, one sentence. `docs/settings.md` is generated from here."""

from __future__ import annotations

import os
import re
import sys
from datetime import time
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, SecretStr
from pydantic.config import JsonDict
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from consumer import limits
from consumer.window import Window

PREFIX = "CONSUMER_"
AUTO = -1.0  # "auto" of a memory limit


def memory(value: object) -> object:
    """Read an amount of memory in MiB: `256`, `256M`, `1G` or `auto`."""
    if not isinstance(value, str):
        return value
    if value.strip().lower() == "auto":
        return AUTO
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)(?:i?B)?", value.strip(), re.IGNORECASE)
    if found is None:
        raise ValueError("expected MiB as 256, 256M or 1G, or auto")
    return float(found[1]) * {"K": 1 / 1024, "": 1, "M": 1, "G": 1024}[found[2].upper()]


def words(value: object) -> object:
    """Read a comma-separated list."""
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def zone(value: object) -> object:
    """Read a time zone's name."""
    try:
        return ZoneInfo(value) if isinstance(value, str) else value
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("expected a time zone such as UTC or Europe/Paris") from error


def clock_time(value: object) -> object:
    """Read a time of day; an offset would be another time zone than the setting says."""
    if isinstance(value, str) and not re.fullmatch(r"\d\d:\d\d", value):
        raise ValueError("expected HH:MM")
    return value


Memory = Annotated[float, BeforeValidator(memory)]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(words)]
Envelopes = Annotated[tuple[Literal["sns", "eventbridge", "s3"], ...], NoDecode, BeforeValidator(words)]
Zone = Annotated[ZoneInfo, BeforeValidator(zone)]
ClockTime = Annotated[time, BeforeValidator(clock_time)]


def knob(unit: str, text: str, *, default: Any = ..., reads: str = "", **rules: Any) -> Any:  # noqa: ANN401 - as Field
    """Describe one setting: its unit, what it means, and how its default reads in the documentation."""
    about: JsonDict = {"unit": unit, "default": reads}
    rules["default_factory" if callable(default) else "default"] = default
    return Field(description=text, json_schema_extra=about, **rules)


def on_ecs() -> bool:
    """Say whether this is an ECS task: its agent tells each container where to ask about it."""
    return os.environ.get("ECS_CONTAINER_METADATA_URI_V4", "").startswith("http")


class Settings(BaseSettings):
    """The environment, validated once. Durations are seconds."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, allow_inf_nan=False
    )

    queue_url: str = knob("URL or name", "The queue to drain.", min_length=1)
    handler: str = knob("module:function", "The function that handles one message.", pattern=r"^[\w.]+:[\w.]+$")

    processes: int = knob("count", "Consumer processes in this container.", default=4, ge=1, le=limits.MOST_PROCESSES)
    concurrency: int = knob("count", "Messages in hand per process.", default=1, ge=1, le=limits.MOST_CONCURRENCY)

    stop_timeout: float = knob(
        "s", "The platform's stop timeout, after which it kills the container (Fargate's maximum is 120).",
        default=120.0, ge=10, le=limits.VISIBILITY_MAX,
    )  # fmt: skip
    wait_time_seconds: int = knob(
        "s", "Long poll. It is awaited when the process is told to stop, so it must end 5 s before the drain does.",
        default=lambda done: max(1, min(limits.WAIT_TIME, int(limits.drain_of(done["stop_timeout"]) - 5))),
        reads="20, or what the stop timeout allows", ge=0, le=20,
    )  # fmt: skip
    visibility_timeout: int = knob(
        "s", "The lease: how long a received message stays hidden unless renewed. Passed on every receive.",
        default=90, ge=2, le=limits.VISIBILITY_MAX,
    )  # fmt: skip
    heartbeat_interval: float = knob(
        "s", "The lease's renewal; at most a third of the lease.",
        default=lambda done: min(limits.HEARTBEAT, done["visibility_timeout"] / 3),
        reads="30, or a third of a shorter lease", gt=0,
    )  # fmt: skip
    time_limit: float = knob(
        "s",
        "One run of the handler; at most 11 h, since SQS gives 12.",
        default=limits.TIME_LIMIT,
        gt=0,
        le=limits.LONGEST_RUN,
    )
    time_limit_grace: float = knob(
        "s",
        "From the time limit, when the handler is told, until its process is replaced.",
        default=limits.GRACE,
        ge=0,
        le=600,
    )

    limit: int = knob("messages", "Messages in a process's life; 0 is off.", default=100, ge=0)
    lifetime: float = knob("s", "Age at which a process retires; 0 is off.", default=14_400.0, ge=0)
    memory_limit: Memory = knob(
        "MiB", "Private memory (USS) at which a process retires between messages, after malloc_trim, in two readings. "
        "`auto` is the warm USS + (0.85 x the container's memory - the warm PSS of all) / processes, "
        "at least + 32 MiB; 0 is off.", default=AUTO, reads="auto", ge=AUTO,
    )  # fmt: skip
    memory_hard_limit: Memory = knob(
        "MiB", "Private memory (USS) over which the agent ends a process during a message. `auto` is half of the "
        "container's memory, or twice a process's share of it where that is more, and at most 92 % of the "
        "whole; 0 is off.",
        default=AUTO, reads="auto", ge=AUTO,
    )  # fmt: skip
    container_memory: Memory = knob(
        "MiB", "The container's memory: this, else the ECS task metadata's, else the cgroup's; none found is none.",
        default=0.0, reads="found", ge=0,
    )  # fmt: skip
    failure_limit: int = knob("count", "Failures in a row before a process retires; 0 is off.", default=0, ge=0)
    jitter: float = knob("fraction", "Downwards, of each limit, drawn once per life.", default=0.2, ge=0, lt=1)

    leaks: Literal["warn", "recycle", "ignore"] = knob(
        "warn, recycle or ignore",
        "What a handler leaves behind (threads, children, working directory, umask, environment, locale, signal "
        "handlers, temporary files, descriptors, growing memory): said once in a life, a reason to retire, or not "
        "looked at.",
        default="warn",
    )

    max_attempts: int = knob(
        "count", "Failed runs of a message, then it is dead-lettered.", default=limits.MAX_ATTEMPTS, ge=1, le=1000
    )
    max_crashes: int = knob(
        "count",
        "Deaths of its process while a message runs alone, then it is dead-lettered.",
        default=limits.MAX_CRASHES,
        ge=1,
        le=1000,
    )
    backoff: float = knob("s", "Wait after the first failure, half of it at random.", default=limits.BACKOFF, ge=0)
    backoff_multiplier: float = knob(
        "factor", "Growth of the wait with each further failure.", default=limits.BACKOFF_MULTIPLIER, ge=1, le=100
    )
    backoff_cap: float = knob(
        "s", "The longest wait between failures.", default=limits.BACKOFF_CAP, ge=0, le=limits.VISIBILITY_MAX
    )
    failure_pause: float = knob(
        "s", "After 3 failures in a row a process waits so long before its next receive, doubling to twelve times "
        "this; a success resets it. 0 is off.", default=5.0, ge=0,
    )  # fmt: skip

    body: Literal["json", "text"] = knob("json or text", "How a body is decoded.", default="json")
    envelope: Envelopes = knob(
        "sns, eventbridge, s3", "Envelopes around the body, outermost first (`sns,s3`).", default=(), reads="none"
    )
    dlq_url: str = knob("URL or name", "The dead-letter queue.", default="", reads="found (the queue's RedrivePolicy)")
    without_dlq: Literal["refuse", "delete", "keep"] = knob(
        "refuse, delete or keep",
        "What becomes of a rejected message where there is no dead-letter queue.",
        default="refuse",
    )

    deadline: ClockTime | None = knob(
        "HH:MM",
        "When the queue must be empty; retries are drawn in so that one usual run still fits.",
        default=None,
        reads="none",
    )
    timezone: Zone = knob("name", "The deadline's time zone.", default=ZoneInfo("UTC"), reads="UTC")

    expected_seconds: float = knob(
        "s", "What one message is expected to take: the containers that the deadline needs follow from it until "
        "enough messages have been measured. 0 is not known.", default=0.0, ge=0,
    )  # fmt: skip
    max_containers: int = knob(
        "count", "The most containers that the service may have: whether the deadline can be kept depends on it.",
        default=1, ge=1,
    )  # fmt: skip

    exit_when_drained: float = knob(
        "s", "For a task that is started for one load of messages: the container leaves with 0 when its queue has been "
        "empty for so long, nothing in flight or delayed either. SQS's counts lag: 60 or more is sure. 0 is off.",
        default=0.0, ge=0,
    )  # fmt: skip

    preload: Words = knob("modules", "Imported once, before the first fork.", default=(), reads="none")
    database_url: SecretStr | None = knob(
        "URL", "The ledger's database, `postgresql://` or, on one machine, `sqlite:///`: a message is done once.",
        default=None, reads="none",
    )  # fmt: skip
    ledger_retention: float = knob("days", "How long the ledger remembers a message.", default=14.0, gt=0)
    pulse_timeout: float = knob(
        "s", "Age at which a process's sign of life is stale; less than the lease minus its renewal interval.",
        default=lambda done: min(45.0, 0.75 * (done["visibility_timeout"] - done["heartbeat_interval"])),
        reads="45, or less with a shorter lease", gt=0,
    )  # fmt: skip
    patience: float = knob(
        "s",
        "How long an error that waiting does not cure (no such queue, access denied) is borne.",
        default=120.0,
        gt=0,
    )
    run_dir: str = knob(
        "path",
        "Signs of life, supervisord's socket and pid file.",
        default="",
        reads="/run/consumer, else a private folder",
    )
    log_format: Literal["json", "console"] = knob(
        "json or console", "How log lines are written.",
        default=lambda _: "console" if sys.stdout.isatty() else "json", reads="json; console on a terminal",
    )  # fmt: skip
    log_level: Literal["debug", "info", "warning", "error"] = knob("level", "The least that is logged.", default="info")

    metrics: Literal["emf", "off"] = knob(
        "emf or off", "CloudWatch's metrics, in its embedded metric format on the log's JSON lines: what the container "
        "knows, once a minute, and how each delivery ends.",
        default=lambda done: "emf" if done["log_format"] == "json" and on_ecs() else "off",
        reads="emf on ECS, else off",
    )  # fmt: skip

    @property
    def window(self) -> Window | None:
        """When the queue must be empty, where that is said."""
        return Window(self.deadline, self.timezone) if self.deadline else None

    @property
    def drain_seconds(self) -> float:
        """Seconds in which handlers may finish after SIGTERM."""
        return limits.drain_of(self.stop_timeout)

    @property
    def stop_wait_seconds(self) -> int:
        """Whole seconds after which supervisord kills a process that was told to stop."""
        return int(self.stop_timeout - max(2.0, self.stop_timeout / 12) - limits.AGENT_STOP)


def extra(name: str) -> dict[str, Any]:
    """Give what a setting says of itself: its unit, and how its default reads."""
    found = Settings.model_fields[name].json_schema_extra
    assert isinstance(found, dict)
    return dict(found)

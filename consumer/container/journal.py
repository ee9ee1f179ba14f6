"""PID 1's own log: supervisord's lines and ours, in the form that the processes' lines have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervisor import loggers

from consumer import logs
from consumer.process import metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumer.clock import Clock
    from consumer.container.stdout import Stdout
    from consumer.fleet.metrics import Metric
    from consumer.settings import Settings

LEVELS = {"CRIT": "critical", "ERRO": "error", "WARN": "warning", "INFO": "info"}
HARMLESS = (
    "Supervisor is running as root.",  # who runs the container is the image's business
    "Server 'unix_http_server' running without any HTTP authentication",  # only this user can open the socket
)


class Journal:
    """Writes one line an event: JSON for machines, plain for people."""

    def __init__(self, stdout: Stdout, clock: Clock, settings: Settings) -> None:
        self._stdout = stdout
        self._clock = clock
        self._settings = settings
        self._json = settings.log_format == "json"
        self._facts = logs.identity("supervisord", settings.queue_url)

    def warning(self, text: str, counts: Mapping[Metric, float] | None = None) -> None:
        """Say what somebody should look at; counts: what the line counts as in the fleet's metrics."""
        self.line("warning", text, counts)

    def error(self, text: str) -> None:
        """Say what somebody must look at."""
        self.line("error", text)

    def line(self, level: str, text: str, counts: Mapping[Metric, float] | None = None) -> None:
        """Write one line, or drop it when nobody reads."""
        now = self._clock.now().isoformat(timespec="microseconds").replace("+00:00", "Z")
        if self._json:
            facts = {**self._facts, **metrics.said(self._settings, self._clock.time(), counts or {})}
            line = logs.render(None, level, {"timestamp": now, "level": level, "event": text, **facts})
        else:
            line = f"{now} [{level}] supervisord: {text}\n".encode(errors="backslashreplace")
        self._stdout.write(line)

    def handler(self) -> Any:  # noqa: ANN401 - supervisor is not typed
        """Give supervisord a log handler that writes here."""
        return _Handler(self)


class _Handler(loggers.Handler):  # type: ignore[misc]
    """Takes supervisord's log records."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def emit(self, record: Any) -> None:  # noqa: ANN401 - as above
        """Write one record."""
        facts = record.asdict()
        text = facts["message"].rstrip("\n")
        if not text.startswith(HARMLESS):
            self._journal.line(LEVELS.get(facts["levelname"], "debug"), text)

    def reopen(self) -> None:
        """Answer SIGUSR2: there is no file to open again."""

    def close(self) -> None:
        """Answer a reload: stdout stays open."""

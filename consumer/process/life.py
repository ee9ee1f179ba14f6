"""What every part of one process's life shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from consumer.clock import Clock
    from consumer.process.patience import Patience
    from consumer.process.pulse import Pulse
    from consumer.process.stop import Stop
    from consumer.settings import Settings


@dataclass(frozen=True, slots=True)
class Life:
    """One life of one process: its settings, its time, its end, its sign of life, its patience, its log."""

    settings: Settings
    clock: Clock
    stop: Stop
    pulse: Pulse
    patience: Patience
    log: FilteringBoundLogger

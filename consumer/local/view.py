"""Shows the demo while it runs: a picture on a terminal, a line every two seconds elsewhere, nothing when asked so."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from consumer.clock import Clock
    from consumer.local.scene import Row, Scene

LINE_EVERY = 2.0  # seconds
HINT = "Try kill -9 PID: the order comes back within 6 s, and nothing is lost. Ctrl-C stops."
LEFT: Literal["left"] = "left"
RIGHT: Literal["right"] = "right"
COLUMNS = (
    ("process", LEFT), ("PID", RIGHT), ("state", LEFT), ("handled", RIGHT), ("order in hand", LEFT), ("for", RIGHT),
    ("memory", RIGHT),
)  # fmt: skip


class View(Protocol):
    """What a view does."""

    def say(self, text: str) -> None:
        """Show a sentence that stays."""

    def show(self, scene: Scene) -> None:
        """Show the moment."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class Silent:
    """Shows nothing: stdout belongs to the JSON object."""

    def say(self, text: str) -> None:
        """Show nothing."""

    def show(self, scene: Scene) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing."""


class Lines:
    """Plain lines, for a file, a pipe or a build's log."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next = 0.0
        self._stage = ""

    def say(self, text: str) -> None:
        """Print it."""
        print(text, flush=True)

    def show(self, scene: Scene) -> None:
        """Print a line when it is time, or when another stage has begun."""
        if self._clock.monotonic() < self._next and scene.stage == self._stage:
            return
        self._next, self._stage = self._clock.monotonic() + LINE_EVERY, scene.stage
        self.say(f"{scene.elapsed:4.0f} s  {', '.join(figures(scene))}  ({scene.stage})")

    def close(self) -> None:
        """Do nothing."""


class Picture:
    """A live picture; it is wiped away at the end, when the table of results takes its place."""

    def __init__(self) -> None:
        # Lazy: rich belongs to the extra `demo`, and without it the plain lines are shown.
        from rich.console import Console  # noqa: PLC0415
        from rich.live import Live  # noqa: PLC0415

        self._live = Live(console=Console(), auto_refresh=False, transient=True)
        self._live.start()

    def say(self, text: str) -> None:
        """Print it above the picture."""
        self._live.console.print(text, markup=False, highlight=False)

    def show(self, scene: Scene) -> None:
        """Draw the moment."""
        self._live.update(_picture(scene), refresh=True)

    def close(self) -> None:
        """Wipe the picture away."""
        self._live.stop()


def view(clock: Clock, *, silent: bool) -> View:
    """Choose how to show the demo."""
    if silent:
        return Silent()
    if sys.stdout.isatty():
        with suppress(ImportError):
            return Picture()
    return Lines(clock)


def figures(scene: Scene) -> list[str]:
    """Tell the moment in words. Pure."""
    waiting = max(0, scene.sent - scene.handled - scene.dead - scene.in_hand)
    words = [f"{scene.handled} of {scene.sent} handled", f"{scene.in_hand} in hand", f"{waiting} waiting"]
    words += [f"{scene.retried} retried"] if scene.retried else []
    words += [f"{scene.dead} dead"] if scene.dead else []
    words += [f"{scene.given_back} given back"] if scene.given_back else []
    words += [f"{scene.killed} killed"] if scene.killed else []
    words += [f"{scene.rate:.1f} a second"] if scene.rate else []
    return words + ([f"{scene.left:.0f} s left"] if scene.left else [])


def cells(row: Row) -> tuple[str, ...]:
    """Tell one process in words. Pure."""
    memory = f"{row.pss_mb:.0f} MB" if row.pss_mb is not None else ""
    seconds = f"{row.seconds:.1f} s" if row.order else ""
    return row.name, str(row.pid), row.state, str(row.handled), row.order, seconds, memory


def _picture(scene: Scene) -> Any:  # noqa: ANN401 - rich is optional, its types are not there without it
    # Lazy, as above.
    from rich.console import Group  # noqa: PLC0415
    from rich.progress_bar import ProgressBar  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    bar = Table.grid(padding=(0, 2))  # a bar by itself does not end its line
    finished = scene.handled + scene.dead
    bar.add_row(ProgressBar(total=scene.sent, completed=finished, width=60), f"{finished / scene.sent:.0%}")
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for name, side in COLUMNS:
        table.add_column(name, justify=side, min_width=6)
    for one in scene.rows:
        table.add_row(*cells(one))
    return Group(f"\n{scene.stage}, {scene.elapsed:.0f} s", bar, ", ".join(figures(scene)), "", table, f"\n{HINT}")

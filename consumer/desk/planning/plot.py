"""Draws rehearsed days: one day minute by minute, many as distributions; as PNG, or in a page of HTML."""

from __future__ import annotations

import io
import os
from html import escape
from importlib import import_module
from math import ceil, floor
from statistics import median
from typing import TYPE_CHECKING, Any, TypeAlias

from consumer.desk.planning.rehearsepage import page
from consumer.errors import ConsumerError, problem
from consumer.fleet.planning.said import counted, time_of_day
from consumer.fleet.planning.workload import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from consumer.desk.planning.rehearsepage import Played
    from consumer.fleet.rehearsal.day import Day
    from consumer.fleet.rehearsal.days import Kind

Figure: TypeAlias = Any  # matplotlib is an optional extra

KINDS = (".png", ".html")
WIDTH, HEIGHT = 10.0, 6.0  # inches
ROW, ROOM = 0.55, 1.8  # inches: for each rule, and for what is around them
OURS: dict[str, Any] = {"linewidth": 2.5, "color": "black", "zorder": 3}
OTHERS: dict[str, Any] = {"linewidth": 1.5}
STEPS, TICKS = (1 / 12, 1 / 6, 0.25, 0.5, 1, 2, 4), 8  # hours between two ticks, and how many there are at most
FAR = 8  # times the containers
PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Rehearsed days</title>
<style>body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em }}
svg {{ max-width: 100%; height: auto }} pre {{ overflow-x: auto; font-size: 13px }}</style>
<h1>Rehearsed days</h1>
{drawing}
<pre>{text}</pre>
"""


class Plotter:
    """Draws into the files that were asked for. Raises ConsumerError where it cannot, before anything is rehearsed."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._library: Any = None
        for path in paths:
            if path.suffix not in KINDS:
                raise ConsumerError(
                    problem("--plot", f"a name that ends in {' or '.join(KINDS)}", str(path), "name it so")
                )
            if not os.access(path.parent, os.W_OK | os.X_OK):
                raise ConsumerError(problem("--plot", "a folder to write into", str(path.parent), "make it"))
        if paths:
            try:
                import_module("matplotlib").use("Agg")
            except ModuleNotFoundError as error:
                remedy = "pip install '.[plan]', or leave out --plot"
                raise ConsumerError(problem("--plot", "the extra `plan`", f"no {error.name}", remedy)) from error
            self._library = import_module("matplotlib.pyplot")

    def draw(self, played: Played) -> Iterator[Path]:
        """Draw; give each file that is written."""
        for path in self._paths:
            figure = self._figure(played)
            try:
                if path.suffix == ".png":
                    figure.savefig(path, dpi=120)
                else:
                    path.write_text(PAGE.format(drawing=_svg(figure), text=escape(page(played))), encoding="utf-8")
            except OSError as error:
                raise ConsumerError(
                    problem("--plot", "a file that can be written", str(error), "name another")
                ) from error
            finally:
                self._library.close(figure)
            yield path

    def _figure(self, played: Played) -> Figure:
        _, days = played[0]
        return self._days(played) if len(days) == 1 else self._distributions(played)

    def _days(self, played: Played) -> Figure:
        """One day: the backlog above, the containers below, the deadline through both."""
        figure, (backlog, containers) = self._library.subplots(
            2, 1, sharex=True, figsize=(WIDTH, HEIGHT), layout="constrained"
        )
        shown = [(kind.name, days[0]) for kind, days in played]
        for number, (name, day) in enumerate(shown):
            hours = [moment.now / HOUR for moment in day.timeline]
            style = {"label": name, **(OTHERS if number else OURS)}
            backlog.plot(hours, [moment.backlog for moment in day.timeline], **style)
            containers.step(hours, [moment.running for moment in day.timeline], where="post", **style)
        scene = played[0][0].scene
        for axes, label in ((backlog, "messages left"), (containers, "containers running")):
            axes.axvline(scene.deadline / HOUR, color="crimson", linestyle="--", label="deadline")
            axes.set_ylabel(label)
            axes.set_ylim(bottom=0)
            axes.grid(alpha=0.3)
        most = [day.peak_containers for _, day in shown]
        if max(most) > FAR * min(most):  # or the lines of the few would lie on one another
            containers.set_yscale("symlog", base=2, linthresh=1)
            containers.yaxis.set_major_formatter("{x:g}")
        else:
            containers.yaxis.get_major_locator().set_params(integer=True)
        latest = max([scene.deadline, *(day.finish or 0 for _, day in shown)])
        _hours(containers, scene.start / HOUR - 0.25, latest / HOUR + 0.25)
        backlog.set_title(f"a day of {_sizes([day.messages for _, day in shown])}, {_zone(played)}")
        figure.legend(*backlog.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
        return figure

    def _distributions(self, played: Played) -> Figure:
        """Many days, a row for each rule: when they were done, and what they took over the least possible."""
        figure, (finish, over) = self._library.subplots(
            1, 2, sharey=True, figsize=(WIDTH, ROOM + ROW * len(played)), width_ratios=(3, 2), layout="constrained"
        )
        scene = played[0][0].scene
        last = scene.deadline + HOUR
        for row, (_, days) in enumerate(played):
            ends = [day.finish for day in days if day.finish is not None]
            _strip(finish, row, [end / HOUR for end in ends if end <= last])
            _strip(over, row, [day.over_bound for day in days if day.over_bound is not None])
            beyond = f"{sum(end > last for end in ends):,} later" if ends else "never"
            if not ends or max(ends) > last:
                finish.text(last / HOUR - 0.05, row, beyond, ha="right", va="center", color="crimson")
        finish.axvline(scene.deadline / HOUR, color="crimson", linestyle="--", label="deadline")
        _hours(finish, scene.start / HOUR, last / HOUR)
        finish.set_ylim(len(played) - 0.5, -0.5)  # the first on top, as in the table
        finish.set_yticks(range(len(played)), [_made(*one) for one in played])
        finish.set_xlabel(f"when the last message was done, {_zone(played)}")
        over.set_xlabel("container-seconds over the least possible")
        for axes in (finish, over):
            axes.grid(alpha=0.3)
        figure.legend(*finish.get_legend_handles_labels(), loc="outside upper right", frameon=False)
        return figure


def _strip(axes: Figure, row: int, values: list[float]) -> None:
    """Draw a stroke for each day, and a point for the one in the middle."""
    axes.plot(values, [row] * len(values), "|", markersize=16, alpha=0.5, color="tab:blue")
    if values:
        axes.plot([median(values)], [row], "o", markersize=5, color="black")


def _hours(axes: Figure, first: float, last: float) -> None:
    """Show hours as times of day, at whole hours or even parts of one."""
    axes.set_xlim(first, last)
    step = next((one for one in STEPS if (last - first) / one <= TICKS), STEPS[-1])
    axes.set_xticks([number * step for number in range(ceil(first / step - 1e-9), floor(last / step + 1e-9) + 1)])
    axes.xaxis.set_major_formatter(lambda hour, _: time_of_day(round(hour * HOUR) % DAY))


def _made(kind: Kind, days: list[Day]) -> str:
    return f"{kind.name}\n{sum(day.deadline_made for day in days):,} of {counted(len(days), 'day')} made"


def _sizes(messages: list[int]) -> str:
    least, most = min(messages), max(messages)
    return ("" if least == most else f"{least:,} to ") + counted(most, "message")


def _zone(played: Played) -> str:
    return str(played[0][0].setup.zone)


def _svg(figure: Figure) -> str:
    """Give the drawing as a part of a page."""
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg")
    text = drawn.getvalue()
    return text[text.index("<svg") :]

"""`make bench-fleet`: rehearses the figures of docs/scaling.md; its tables on the screen, everything in a JSON file."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consumer.fleet.cloud.sizes import Size
from consumer.fleet.planning import capacity
from consumer.fleet.planning.said import time_of_day

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HERE = Path(__file__).parent
HOURS = ("--seconds", "30..300", "--from", "04:00", "--by", "09:00")
VOLUMES = (2_000, 20_000, 200_000, 2_000_000)
OPENINGS = ("03:55", "03:57", "03:59")
STARTS = ("60..90", "90..180")
UNPLANNED = {
    "3 x the messages": ("--more", "3"),
    "2 x the seconds": ("--longer", "2"),
}
HARD, AGAINST, OPENING = 5, 20, 10  # of the days, one in so many: the rest would tell no more


@dataclass(frozen=True)
class Run:
    """One call of the program: what it printed, its seconds of CPU, and the most memory that it held."""

    command: str
    found: dict[str, Any]
    cpu: float
    mib: float

    @property
    def kinds(self) -> dict[str, dict[str, Any]]:
        """The summaries of a rehearsal's days, by kind."""
        others = {name: one["summary"] for name, one in self.found["compared"].items()}
        return {"ours": self.found["summary"], **others}


def run(*words: str) -> Run:
    command = ["consumer", *words, "--json"]
    print(shlex.join(command), file=sys.stderr, flush=True)
    process = subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE)
    assert process.stdout
    with process.stdout:
        found = json.load(process.stdout)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    print(f"  {cpu:.0f} s of CPU", file=sys.stderr, flush=True)
    return Run(shlex.join(command), found, cpu, usage.ru_maxrss / 1024)


def rehearsed(days: int, jobs: int, *words: str) -> Run:
    days_of = ("--messages", str(VOLUMES[0]), *HOURS, "--days", str(max(1, days)), "--spread", "0.3")
    return run("rehearse", *days_of, "--jobs", str(jobs), *words)


def policies(days: int, jobs: int) -> tuple[list[Run], bool]:
    """The issue's thousand days, and the same days under other rules."""
    found = rehearsed(days, jobs, "--policies")
    show(("", "made", "missed", "done: median, latest", "container-hours", "of the least, p99", "most", "$ a day"), [
        (name, one["made"], one["missed"], ends(one), hours(one), over(one), one["peak_containers"],
         f"{one['cost']:.3f}")
        for name, one in found.kinds.items()
    ])  # fmt: skip
    ours = found.kinds["ours"]
    return [found], not ours["missed"] and ours["over_bound_median"] <= 1.08


def hard(days: int, jobs: int) -> tuple[list[Run], bool]:
    """Days on which something is against it."""
    found = rehearsed(days // HARD, jobs, "--hard")
    head = ("", "made", "missed", "impossible", "told by 04:15", "asked for", "done: median, latest",
            "of the least, p99", "interrupted")  # fmt: skip
    show(head, [
        (name, one["made"], one["missed"], one["days"] - one["feasible"], one["told"], one["asked"] or "-", ends(one),
         over(one), f"{one['interrupted']:.0f}")
        for name, one in found.kinds.items()
    ])  # fmt: skip
    return [found], all(one["made"] + one["told"] == one["days"] for one in found.kinds.values())


def against(days: int, jobs: int) -> tuple[list[Run], bool]:
    """Days that nobody planned for, under every rule."""
    found = {word: rehearsed(days // AGAINST, jobs, *words, "--policies") for word, words in UNPLANNED.items()}
    show(("", *(f"{word}: made, missed, done" for word in found)), [
        (name, *(f"{one['made']}, {one['missed']}, {ends(one)}" for one in (run.kinds[name] for run in found.values())))
        for name in found[next(iter(found))].kinds
    ])  # fmt: skip
    return list(found.values()), not any(one.kinds["ours"]["missed"] for one in found.values())


def opening(days: int, jobs: int) -> tuple[list[Run], bool]:
    """How early the first containers should be there, with a usual and with a slow start."""
    found = [
        (start, at, rehearsed(days // OPENING, jobs, "--start", start, "--set", f"OpenTime={at}"))
        for start in STARTS
        for at in OPENINGS
    ]
    show(("seconds to start", "OpenTime", "made", "missed", "done: median, latest", "of the least, p99"), [
        (start, at, one.kinds["ours"]["made"], one.kinds["ours"]["missed"], ends(one.kinds["ours"]),
         over(one.kinds["ours"]))
        for start, at, one in found
    ])  # fmt: skip
    return [one for *_, one in found], not any(one.kinds["ours"]["missed"] for *_, one in found)


def growth(_: int, jobs: int) -> tuple[list[Run], bool]:
    """More and more messages a day: what the plan answers, and a rehearsal of it."""
    planned = run("plan", "--messages", str(VOLUMES[0]), *HOURS, "--growth")
    days = [run("rehearse", "--messages", str(volume), *HOURS, "--jobs", str(jobs)) for volume in VOLUMES]
    head = ("messages a day", "containers", "of", "processes", "in flight", "launched in", "connections", "$ a month",
            "done", "of the least", "rehearsed with")  # fmt: skip
    show(head, [stage(one, day) for one, day in zip(planned.found["growth"], days, strict=True)])
    return [planned, *days], all(day.found["summary"]["made"] for day in days)


def stage(one: dict[str, Any], day: Run) -> tuple[object, ...]:
    fleet, summary = one["fleet"], day.found["summary"]
    size, most = Size(**fleet["shape"]["size"]), fleet["most"]
    shape = capacity.Shape(size, fleet["shape"]["processes"], fleet["shape"]["concurrency"])
    return (
        f"{one['messages']:,}", f"{fleet['containers']}..{most}", size, shape.processes, f"{most * shape.slots:,}",
        f"{capacity.started(most) - capacity.START:.0f} s", f"{capacity.connections(shape, most):,}",
        f"{one['bill']['month']:,.0f}", time_of_day(summary["finish_latest"]), f"{summary['over_bound_median']:.3f}",
        f"{day.cpu:.1f} s, {day.mib:.0f} MiB",
    )  # fmt: skip


def ends(one: dict[str, Any]) -> str:
    if one["finish_median"] is None:
        return "never"
    return f"{time_of_day(one['finish_median'])}, {time_of_day(one['finish_latest'])}"


def hours(one: dict[str, Any]) -> str:
    return f"{one['container_seconds'] / 3600:.2f}"


def over(one: dict[str, Any]) -> str:
    if one["over_bound_median"] is None:
        return "-"
    return f"{one['over_bound_median']:.3f}, {one['over_bound_p99']:.3f}"


def show(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    for row in (head, ["---"] * len(head), *rows):
        print("|", " | ".join(map(str, row)), "|", flush=True)
    print()


ALL: dict[str, Callable[[int, int], tuple[list[Run], bool]]] = {
    one.__name__: one for one in (policies, hard, against, opening, growth)
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", nargs="*", choices=[*ALL, []], help="which (all)")
    parser.add_argument("--days", type=int, default=1000, help="seeded days (1000); fewer of the others")
    parser.add_argument("--jobs", type=int, default=1, help="processes that rehearse (1)")
    arguments = parser.parse_args()
    results, held = {}, True
    for name in arguments.figures or ALL:
        runs, holds = ALL[name](arguments.days, arguments.jobs)
        held &= holds
        results[name] = {"holds": holds, "runs": [summarised(one) for one in runs]}
        print(f"{name}: {'holds' if holds else 'DOES NOT HOLD'}\n", file=sys.stderr)
    target = HERE / "results" / f"fleet-{datetime.now(UTC):%Y-%m-%dT%H%M%S}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(results, indent=2))
    print(f"everything is in {target.relative_to(HERE.parent)}", file=sys.stderr)
    return 0 if held else 1


def summarised(one: Run) -> dict[str, Any]:
    found = one.kinds if "compared" in one.found else one.found["growth"]
    return {"command": one.command, "cpu_seconds": one.cpu, "mib": one.mib, "found": found}


if __name__ == "__main__":
    sys.exit(main())

"""`make reality`: short days with real containers, beside what the rehearsal says of them beforehand."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from array import array
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from consumer.clock import dice
from consumer.desk.table import table
from consumer.fleet.cloud import template
from consumer.fleet.planning import price
from consumer.fleet.planning.bills import Market
from consumer.fleet.planning.calibration import Calibration
from consumer.fleet.planning.workload import DAY
from consumer.fleet.rehearsal import subject
from consumer.fleet.rehearsal.arrivals import Given
from consumer.fleet.rehearsal.day import Scene, day
from consumer.fleet.rehearsal.platform import Platform
from realday import MINUTE, Came, Orders, RealDay
from scene import HERE, Container, queues

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.clock import Dice
    from consumer.fleet.cloud.template import Deployment
    from consumer.fleet.rehearsal.day import Day

PROCESSES = 4
LOW, HIGH = 10.0, 60.0  # seconds of a message
WAIT = 20.0  # seconds for a container's image, which are not billed
SENT = 103.5  # seconds from the opening to the first message: a quarter of a minute, and none on the minute itself
NOON = 43200.0
REHEARSALS = 21  # of the same day: which container has which message is chance


@dataclass(frozen=True, slots=True)
class Shape:
    """A day to play. deadline, close: minutes after the opening. over: seconds over which messages come."""

    messages: int
    opens: int
    most: int
    deadline: int
    close: int
    over: float = 0.0


SHAPES = {
    "one, then three": Shape(120, 1, 3, 12, 16),
    "two throughout": Shape(100, 2, 3, 12, 16),
    "too much for the deadline": Shape(90, 1, 2, 7, 16),
    "one by one over 5 minutes": Shape(100, 1, 3, 11, 16, over=300.0),
    "closed before the end": Shape(90, 1, 2, 6, 7),
}


@dataclass(frozen=True, slots=True)
class InOrder:
    """The messages' seconds in the order in which they are sent."""

    seconds: tuple[float, ...]

    @property
    def mean(self) -> float:
        return sum(self.seconds) / len(self.seconds)

    @property
    def longest(self) -> float:
        return max(self.seconds)

    def drawer(self, _: Dice) -> Callable[[], float]:
        return iter(self.seconds).__next__

    def scaled(self, factor: float) -> InOrder:
        return InOrder(tuple(factor * one for one in self.seconds))


@dataclass(frozen=True, slots=True)
class Result:
    """One day, both ways. boot: seconds that a container took to start here, beforehand."""

    shape: str
    seed: int
    boot: float
    predicted: Came
    real: Came

    @property
    def errors(self) -> tuple[float | None, float]:
        """Give by how much the rehearsal is off, in percent of what was: finish, container-seconds."""
        said, was = self.predicted, self.real
        finish = None if said.finish is None or was.finish is None else 100 * (said.finish / was.finish - 1)
        return finish, 100 * (said.container_seconds / was.container_seconds - 1)


def deployment(shape: Shape, opens: float) -> Deployment:
    """Read what the template deploys for a day that opens at a minute (seconds since the epoch)."""

    def clock(minutes: int) -> str:
        return f"{datetime.fromtimestamp(opens + minutes * MINUTE, UTC):%H:%M}"

    return template.read(
        Handler="handlers:handle", Processes=PROCESSES, MaxContainers=shape.most, OpenContainers=shape.opens,
        ExpectedSeconds=(LOW + HIGH) / 2, OpenTime=clock(0), FreeTime=clock(4), Deadline=clock(shape.deadline),
        CloseTime=clock(shape.close),
    )  # fmt: skip


def boot() -> float:
    """Measure how long a container takes here from its start to its first receive."""
    with queues() as scene:
        began = time.monotonic()
        with Container(scene, PROCESSES) as container:
            container.ready()
            return time.monotonic() - began


def rehearsed(orders: Orders, shape: Shape) -> Came:
    """Rehearse the day; of several, which differ by who has which message, give the medians."""
    midnight = orders.opens // DAY * DAY
    opens = orders.opens - midnight
    times, seconds = zip(*orders.sends, strict=True)
    scene = Scene(
        times[0] - midnight, opens + shape.deadline * MINUTE, Given(array("d", [at - midnight for at in times])),
        InOrder(seconds), platform=orders.platform,
    )  # fmt: skip
    what = subject.of(orders.deployment, Market(price.load(), Calibration()))
    days = [day(what.deployed, what.rules(scene.start), scene, seed) for seed in range(REHEARSALS)]
    ends = sorted(one.finish for one in days if one.finish is not None)
    usual = sorted(days, key=lambda one: one.container_seconds)[REHEARSALS // 2]
    return Came(
        finish=median(ends) - scene.start if len(ends) > REHEARSALS / 2 else None,
        container_seconds=median(one.container_seconds for one in days),
        peak=usual.peak_containers,
        done=usual.succeeded,
        minutes=_minutes(usual, opens),
    )


def _minutes(played: Day, opens: float) -> list[tuple[int, int, int]]:
    """Give the minutes until nothing runs any more."""
    found = [(one.backlog, one.running, one.desired) for one in played.timeline[:-1] if opens <= one.now]
    return found[: 1 + max(number for number, (_, running, desired) in enumerate(found) if running or desired)]


def planned(name: str, seed: int, measured: float, opens: float, **settings: str) -> Orders:
    """Say what is to be done on a day that opens at a minute. measured: seconds in which a container starts here."""
    shape, roll = SHAPES[name], dice("reality", name, seed)
    apart, start = shape.over / shape.messages, WAIT + measured
    return Orders(
        deployment(shape, opens), Platform(start=(start, start), unpulled=WAIT / start), WAIT, opens,
        closes=opens + shape.close * MINUTE,
        sends=[(opens + SENT + number * apart, roll.uniform(LOW, HIGH)) for number in range(shape.messages)],
        settings=settings,
    )  # fmt: skip


def played(name: str, seed: int) -> Result:
    """Rehearse one day, then let it happen."""
    measured = boot()
    with queues() as scene, ExitStack() as stack:
        opens = (time.time() + 5) // MINUTE * MINUTE + MINUTE
        orders = planned(
            name, seed, measured, opens, CONSUMER_QUEUE_URL=scene.url, CONSUMER_DLQ_URL=scene.dead_url,
            CONSUMER_LIMIT="100",
        )  # fmt: skip
        said = rehearsed(orders, SHAPES[name])
        return Result(name, seed, measured, said, RealDay(orders, scene, stack).play())


def again(path: Path) -> list[Result]:
    """Rehearse the days that are in a file once more, beside what came of them: after a change of the rehearsal."""
    found = []
    for one in json.loads(path.read_text()):
        orders = planned(one["shape"], one["seed"], one["boot"], NOON)
        real = Came(**one["real"])
        said = rehearsed(orders, SHAPES[one["shape"]])
        found.append(Result(one["shape"], one["seed"], one["boot"], said, real))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=1, help="times that each day is played, with other seconds (1)")
    parser.add_argument("--seed", type=int, default=1, help="of the first (1)")
    parser.add_argument("--again", type=Path, nargs="+", help="rehearse days that were played, from these files")
    parser.add_argument("shapes", nargs="*", choices=[*SHAPES, []], help="which (all, side by side)")
    asked = parser.parse_args()
    results = [one for path in asked.again for one in again(path)] if asked.again else live(asked)
    print(page(results))
    return 0


def live(asked: argparse.Namespace) -> list[Result]:
    """Play the days, those of one seed side by side, and keep what came of them."""
    names = asked.shapes or list(SHAPES)
    print(f"{asked.repeat} x {', '.join(names)}: some 16 minutes each time", file=sys.stderr, flush=True)
    results: list[Result] = []
    kept = HERE / "results" / f"reality-{datetime.now(UTC):%Y-%m-%dT%H%M%S}.json"
    kept.parent.mkdir(exist_ok=True)
    with ProcessPoolExecutor(len(names), mp_context=multiprocessing.get_context("spawn")) as pool:
        for seed in range(asked.seed, asked.seed + asked.repeat):
            results += pool.map(played, names, [seed] * len(names))
            kept.write_text(json.dumps([asdict(one) for one in results], indent=2))
    print(f"everything measured is in {kept.relative_to(HERE.parent)}", file=sys.stderr)
    return results


def page(results: list[Result]) -> str:
    """Put what was said beside what was."""
    rows = [
        (
            one.shape, *_pair(one.predicted.finish, one.real.finish, one.errors[0]),
            *_pair(one.predicted.container_seconds, one.real.container_seconds, one.errors[1]),
            f"{one.predicted.peak} / {one.real.peak}", f"{one.predicted.done} / {one.real.done}",
        )
        for one in results
    ]  # fmt: skip
    head = ("rehearsed / real", "finish, s", "error", "container-seconds", "error", "peak", "messages done")
    lines = [table(head, rows), ""]
    for index, what in enumerate(("finish", "container-seconds")):
        found = sorted(abs(error) for one in results if (error := one.errors[index]) is not None)
        if found:
            lines.append(f"{what}: median error {median(found):.1f} %, worst of {len(found)}: {found[-1]:.1f} %")
    for one in results:
        lines += ["", f"{one.shape}: containers minute by minute, rehearsed, then real"]
        lines += [" ".join(str(running) for _, running, _ in came.minutes) for came in (one.predicted, one.real)]
    return "\n".join(lines)


def _pair(said: float | None, was: float | None, error: float | None) -> tuple[str, str]:
    words = " / ".join("never" if one is None else f"{one:.0f}" for one in (said, was))
    return words, "" if error is None else f"{error:+.1f} %"


if __name__ == "__main__":
    sys.exit(main())

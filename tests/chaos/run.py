"""`make chaos`: messages through a storm of faults, and then the question whether each was done exactly once."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING

from chaos import servers
from chaos.checker import check
from chaos.history import POISON
from chaos.monkey import Monkey
from chaos.report import report
from chaos.scene import Scene

if TYPE_CHECKING:
    from chaos.checker import Verdict
    from chaos.history import History
    from support.programs import Program

EVERY = 1.0  # seconds between faults, on the average
STUCK = 60.0  # seconds without progress after which nothing will come of the rest: no time-out is half as long
LAST = 24  # messages sent after the last fault: the system still works
AT_ONCE = 0.2  # of the messages, before the first fault
KINDS = {"good": 900, "flaky": 70, "reject": 10, "fails": 6, "dies": 4, "undecodable": 6}
HANDLERS = (("work", 1), ("work_async", 2))  # each with its concurrency


@dataclass(frozen=True)
class Plan:
    """One run. processes: of both containers together."""

    database: str
    messages: int
    processes: int
    seconds: float
    seed: int
    every: float = EVERY
    hangs: bool = True


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    plan: Plan
    history: History
    verdict: Verdict
    seconds: float


def works(plan: Plan, dice: Random) -> list[tuple[str, str]]:
    """Draw the messages, each with its kind and body: some are poison, one good one in twelve is sent twice."""
    found: list[tuple[str, str]] = []
    kinds, weights = zip(*(KINDS | ({"hangs": 1} if plan.hangs else {})).items(), strict=True)
    for number in range(plan.messages):
        kind = POISON[number] if number < len(POISON) else dice.choices(kinds, weights)[0]
        body = {
            "key": f"n{number}", "kind": kind, "by": dice.choice(["session", "on_done"]),
            "seconds": round(min(0.6, dice.expovariate(8)), 3),
        }  # fmt: skip
        text = json.dumps(body)
        found.append((kind, "{" + text if kind == "undecodable" else text))
        if kind in {"good", "flaky"} and dice.random() < 1 / 12:
            found.append((kind, text))
    dice.shuffle(found)
    return found


def storm(scene: Scene, monkey: Monkey, bodies: list[tuple[str, str]], seconds: float) -> None:
    """Send all the messages, a part of them at once, while the monkey does its worst."""
    began, sent = time.monotonic(), 0
    while (elapsed := time.monotonic() - began) < seconds or sent < len(bodies):
        due = int(len(bodies) * min(1.0, AT_ONCE + elapsed / seconds))
        if due > sent and scene.server.up:
            scene.send(bodies[sent:due])
            sent = due
        monkey.tick()
        time.sleep(0.02)


def play(plan: Plan, folder: Path) -> Outcome:
    """Play a run from the first message to the verdict."""
    dice, began = Random(plan.seed), time.monotonic()
    database = servers.database(plan.database, folder)
    handlers = cycle(HANDLERS)
    with Scene(folder, database) as scene:

        def start() -> Program:
            handler, concurrency = next(handlers)
            return scene.up(handler, processes=plan.processes // len(HANDLERS), concurrency=concurrency)

        for _ in HANDLERS:
            start()
        scene.ready()
        bodies = works(plan, dice)
        monkey = Monkey(scene, dice, start, every=plan.every)
        try:
            storm(scene, monkey, bodies, plan.seconds)
        finally:
            monkey.calm()
        scene.ready()
        scene.send([("good", _last(number)) for number in range(LAST)])
        scene.drain(STUCK)
        scene.stop()
        history = scene.history()
    (folder / "faults").write_text("".join(json.dumps(asdict(fault)) + "\n" for fault in history.faults))
    return Outcome(plan, history, check(history), time.monotonic() - began)


def _last(number: int) -> str:
    return json.dumps({"key": f"last{number}", "kind": "good", "by": "on_done", "seconds": 0.05})


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--messages", type=int, default=2500)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--seconds", type=float, default=100.0, help="with faults, for each database")
    parser.add_argument("--every", type=float, default=EVERY, help="seconds between faults, on the average")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1_000_000))
    given = parser.parse_args(words)
    databases = ["postgresql", "sqlite"] if given.database == "both" else [given.database]
    bad = 0
    for database in databases:
        plan = Plan(database, given.messages, given.processes, given.seconds, given.seed, given.every)
        folder = Path(tempfile.mkdtemp(prefix=f"chaos-{database}-"))
        print(f"chaos on {database}: --seed {plan.seed}, kept in {folder} if a promise is broken", flush=True)
        outcome = play(plan, folder)
        print(f"\n{report(outcome.history, outcome.verdict, outcome.seconds)}\n", flush=True)
        bad += len(outcome.verdict.violations)
        if not outcome.verdict.violations:
            shutil.rmtree(folder, ignore_errors=True)  # PostgreSQL's own processes may be tidying up in it
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

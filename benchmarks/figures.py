"""The figures. Each compares side by side, in one run, and gives medians."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from scene import HERE, Container, fill, ledgers, queues

Figure = dict[str, Any]


def overhead(*, messages: int = 3000, rounds: int = 3, processes: int = 4) -> Figure:
    """Messages per second with a handler that does nothing, against a bare loop on the same server."""
    ours, bare = [], []
    for _ in range(rounds):
        with queues() as scene:
            fill(scene, [{}] * messages)
            command = [sys.executable, str(HERE / "bare.py"), scene.url]
            loops = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
            spans = [tuple(map(float, loop.communicate()[0].split())) for loop in loops]
            bare.append(messages / (max(last for _, last in spans) - min(first for first, _ in spans if first)))
        with queues() as scene:
            fill(scene, [{}] * messages)
            with Container(scene, processes) as container:
                ends = container.delivered(messages)
                began = min(one["at"] - one["seconds"] for one in ends)
                ours.append(messages / (max(one["at"] for one in ends) - began))
    ratios = [one / other for one, other in zip(ours, bare, strict=True)]
    return {
        "figure": f"messages/s, no-op handler on {processes} processes, against a bare receive-delete loop",
        "measured": f"{median(ratios):.2f} ({median(ours):.0f}/s against {median(bare):.0f}/s)",
        "expected": "at least 0.85",
        "holds": median(ratios) >= 0.85,
        "ratios": ratios,
    }


def memory(*, small: int = 4, large: int = 12, messages: int = 100) -> Figure:
    """Memory per further process after its messages, forked from the loaded application against exec'd."""
    found = {}
    for forked in (True, False):
        total = {}
        for processes in (small, large):
            with queues() as scene, Container(scene, processes, forked=forked) as container:
                container.ready()
                fill(scene, [{"seconds": 0.01}] * messages * processes)
                container.delivered(messages * processes)
                total[processes] = container.pss()
        found[forked] = (total[large] - total[small]) / (large - small)
    return {
        "figure": f"PSS per further process after {messages} messages each, forked against exec'd",
        "measured": f"{found[True]:.1f} MiB against {found[False]:.1f} MiB",
        "expected": "at most 15 MiB",
        "holds": found[True] <= 15,
        "mib": {"forked": found[True], "execed": found[False]},
    }


def start(*, sizes: tuple[int, ...] = (1, 4, 8, 16)) -> Figure:
    """CPU seconds until every process is ready, forked against exec'd."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for processes in sizes:
        for forked, found in seconds.items():
            with queues() as scene, Container(scene, processes, forked=forked) as container:
                container.ready()
                found.append(container.cpu())
    ratio = seconds[True][-1] / seconds[False][-1]
    listed = {forked: "/".join(f"{one:.1f}" for one in found) for forked, found in seconds.items()}
    return {
        "figure": f"CPU seconds to start {'/'.join(map(str, sizes))} processes, forked against exec'd",
        "measured": f"{listed[True]} against {listed[False]}; at {sizes[-1]} a share of {ratio:.2f}",
        "expected": "at most a quarter",
        "holds": ratio <= 0.25,
        "seconds": {"forked": seconds[True], "execed": seconds[False]},
    }


def idle(*, processes: int = 8, seconds: float = 30) -> Figure:
    """CPU of a container whose queue is empty."""
    with queues() as scene, Container(scene, processes) as container:
        container.ready()
        time.sleep(5)
        began, before = time.monotonic(), container.cpu()
        time.sleep(seconds)
        share = 100 * (container.cpu() - before) / (time.monotonic() - began)
    return {
        "figure": f"idle CPU of a container of {processes}",
        "measured": f"{share:.2f} % of a core",
        "expected": "under 1 %",
        "holds": share < 1,
        "percent": share,
    }


def efficiency(*, messages: int = 400, processes: int = 8) -> Figure:
    """Of the processes' time from the first receive to the last delete, the share spent in handlers."""
    dice = random.Random(7)
    waits = [round(dice.uniform(0.3, 3), 2) for _ in range(messages)]
    with queues() as scene:
        fill(scene, [{"seconds": wait} for wait in waits])
        with Container(scene, processes, CONSUMER_LIMIT="100") as container:
            ends = container.delivered(messages)
    span = max(one["at"] for one in ends) - min(one["at"] - one["seconds"] for one in ends)
    share = sum(waits) / (processes * span)
    return {
        "figure": f"drain efficiency, {messages} messages of 0.3-3 s on {processes} processes",
        "measured": f"{share:.3f} ({sum(waits):.0f} s of waiting in {span:.1f} s)",
        "expected": "at least 0.97",
        "holds": share >= 0.97,
        "efficiency": share,
    }


def gap(*, messages: int = 300, processes: int = 4) -> Figure:
    """From a process's leaving to its successor's being ready to receive."""
    with queues() as scene:
        fill(scene, [{"seconds": 0.2}] * messages)
        with Container(scene, processes, CONSUMER_LIMIT="10") as container:
            container.delivered(messages)
            left, ready = container.events("process_leaving"), container.events("process_ready")
    gaps = []
    for one in left:
        after = [other["at"] for other in ready if other["process"] == one["process"] and other["at"] > one["at"]]
        gaps += [1000 * (min(after) - one["at"])] if after else []
    return {
        "figure": "from a process's leaving to its successor's being ready",
        "measured": f"{median(gaps):.0f} ms, worst of {len(gaps)}: {max(gaps):.0f} ms",
        "expected": "under 100 ms",
        "holds": median(gaps) < 100,
        "milliseconds": gaps,
    }


def ledger(*, messages: int = 600, rounds: int = 3) -> Figure:
    """What a ledger costs one process with a handler that does nothing: messages per second, CPU, statements."""
    drained: dict[str, list[Drained]] = {"none": [], "sqlite": [], "postgresql": []}
    statements = {}
    for _ in range(rounds):
        for kind, found in drained.items():
            with ledgers(kind) as url:
                found.append(drain(messages, {"CONSUMER_DATABASE_URL": url}))
    for kind in ("sqlite", "postgresql"):
        with ledgers(kind) as url, tempfile.NamedTemporaryFile() as file:
            drain(300, {"CONSUMER_DATABASE_URL": url, "STATEMENTS": file.name})
            statements[kind] = Path(file.name).stat().st_size / 300
    said = []
    for kind, count in statements.items():
        pairs = list(zip(drained[kind], drained["none"], strict=True))
        share = median(one.rate / bare.rate for one, bare in pairs)
        more = median(one.cpu - bare.cpu for one, bare in pairs)
        said.append(f"{kind} {share:.2f}, {1000 * more:.1f} ms of CPU more and {count:.1f} statements a message")
    return {
        "figure": "messages/s of one process with a ledger, no-op handler, as a share of those without",
        "measured": "; ".join(said),
        "expected": "two statements a message",
        "holds": all(count < 2.1 for count in statements.values()),
        "drained": {kind: [one._asdict() for one in found] for kind, found in drained.items()},
        "statements": statements,
    }


def redelivery(*, messages: int = 8, processes: int = 12, lease: int = 30) -> Figure:
    """From SIGKILL of a process to its message's being in another one's hands, with the agent and without."""
    seconds = {}
    for agent in (True, False):
        with (
            queues() as scene,
            Container(scene, processes, agent=agent, CONSUMER_VISIBILITY_TIMEOUT=str(lease)) as container,
        ):
            container.ready()
            fill(scene, [{"seconds": 2 * lease}] * messages)
            container.wait(lambda container=container: len(container.in_hand()) == messages)
            seconds[agent] = container.kill_holders()
    said = [f"{median(found):.1f} s, worst of {len(found)}: {max(found):.1f} s" for found in seconds.values()]
    return {
        "figure": f"from SIGKILL to redelivery with the agent, and without (a lease of {lease} s)",
        "measured": "; ".join(said),
        "expected": "within 5 s",
        "holds": max(seconds[True]) < 5,
        "seconds": {"with": seconds[True], "without": seconds[False]},
    }


class Drained(NamedTuple):
    """A drained queue: messages per second, and seconds of CPU per message."""

    rate: float
    cpu: float


def drain(messages: int, settings: dict[str, Any]) -> Drained:
    """Drain a queue with one process."""
    with queues() as scene:
        fill(scene, [{}] * messages)
        with Container(scene, 1, **settings) as container:
            container.ready()
            before = container.cpu()
            ends = container.delivered(messages)
            cpu = container.cpu() - before
    began = min(one["at"] - one["seconds"] for one in ends)
    return Drained(messages / (max(one["at"] for one in ends) - began), cpu / messages)


ALL = {one.__name__: one for one in (overhead, memory, start, idle, efficiency, gap, ledger, redelivery)}

"""`consumer status`: this container's processes, from their signs of life, and the queue's counts."""

from __future__ import annotations

import json
import os
import socket
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from botocore.exceptions import BotoCoreError, ClientError

from consumer import rundir
from consumer.clock import Clock
from consumer.container import estimate
from consumer.desk.table import table
from consumer.environment import shown
from consumer.errors import SettingsError, problem
from consumer.message import client
from consumer.message.queue import counts, locate
from consumer.message.trouble import explained
from consumer.process import pulse, quiet

if TYPE_CHECKING:
    import argparse

QUIET = {
    "person": "quiet: no more messages are taken until `consumer resume`",
    "platform": "quiet: no more messages are taken, since the platform is to take this container: ",
}
SHOWN = ("name", "pid", "state", "handled", "rss_mib", "uss_mib", "pss_mib", "started")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def main(arguments: argparse.Namespace) -> int:
    """Print the status; return 1 when the queue does not answer or no process lives."""
    now = Clock().time()
    try:
        folder = rundir.resolve(os.environ.get("CONSUMER_RUN_DIR", ""))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    lives, reasons, expected = pulse.living(folder), quiet.reasons(folder), estimate.read(folder, now)
    queue, problem = _queue(os.environ.get("CONSUMER_QUEUE_URL", ""))
    if arguments.json:
        facts = {"container": socket.gethostname(), "quiet": bool(reasons), "quiet_reasons": reasons, "queue": queue}
        print(json.dumps({**facts, "estimate": expected, "processes": [public(life) for life in lives]}, indent=2))
    else:
        print(_page(lives, queue, now))
        if expected:
            print(outlook(expected))
        for who, why in reasons.items():
            print(QUIET[who] + why)
    if problem:
        print(problem, file=sys.stderr)
    return 1 if problem or not lives else 0


def public(life: dict[str, Any]) -> dict[str, Any]:
    """Pick what machines may read of a process."""
    held = [
        {name: one.get(name) for name in ("message_id", "attempt", "since", "progress") if name in one}
        for one in life["in_hand"].values()
    ]
    last, trouble = life["last_receive"], life.get("trouble", "")
    return {name: life[name] for name in SHOWN} | {"last_receive": last, "trouble": trouble, "in_hand": held}


def outlook(expected: dict[str, Any]) -> str:
    """Say whether the deadline will be met, and what it takes."""
    zone = ZoneInfo(expected["timezone"])

    def clock(time: float) -> str:
        return datetime.fromtimestamp(time, zone).strftime("%H:%M")

    slack, containers = expected["slack_seconds"], expected["needed_containers"]
    when = ""
    if slack is not None:
        minutes = f"{abs(slack) / 60:.0f} min {'after' if slack < 0 else 'before'} it"
        when = f", empty at about {clock(expected['empty_at'])}, {minutes}"
    needs = f"{containers} container{'' if containers == 1 else 's'} ({expected['needed_processes']} processes) needed"
    return (
        f"deadline {clock(expected['deadline'])} {expected['timezone']}: {expected['verdict']}{when}; "
        f"{needs}, {expected['desired_containers']} wanted"
    )


def _page(lives: list[dict[str, Any]], queue: dict[str, int] | None, now: float) -> str:
    rows = [
        (
            life["name"],
            life["pid"],
            life["state"],
            life["handled"],
            round(life["uss_mib"]),
            datetime.fromtimestamp(life["started"], UTC).strftime("%H:%M:%S"),
            ", ".join(f"{one['message_id']} ({now - one['since']:.0f} s)" for one in life["in_hand"].values()),
        )
        for life in lives
    ]
    head = ("process", "pid", "state", "handled", "private MiB", "started UTC", "in hand")
    counted = queue and "queue: " + ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in queue.items())
    troubles = "".join(f"\n{life['name']}: {life['trouble']}" for life in lives if life.get("trouble"))
    shown = table(head, rows) if rows else "no process is running here"
    return shown + troubles + (f"\n{counted}" if counted else "")


def _queue(name: str) -> tuple[dict[str, int] | None, str]:
    """Ask for the queue's counts; give them, or what stands in the way."""
    if not name:
        return None, problem("CONSUMER_QUEUE_URL", "a queue's URL or name", "none", "set it")
    try:
        sqs = client.hurried(name)
        return asdict(counts(sqs, locate(sqs, name))), ""
    except (BotoCoreError, ClientError) as error:
        return None, f"queue {shown(name)}: expected its counts; got {explained(error)}"

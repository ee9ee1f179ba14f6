"""`consumer drain`: this container finishes what is in hand and takes no more, until `consumer resume`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from consumer import rundir
from consumer.clock import Clock
from consumer.errors import SettingsError, problem
from consumer.process import pulse, quiet

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

PATIENCE = 900.0  # seconds, unless told: the default time limit of one run
LOOK = 0.5  # seconds between two looks
SETTLED = ("starting", "quiet", "draining")  # states in which no receive is under way that could still bring work


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--wait", action="store_true", help="wait until nothing is in hand")
    parser.add_argument(
        "--timeout", type=float, default=PATIENCE, metavar="SECONDS", help=f"wait so long at most ({PATIENCE:g})"
    )


def main(arguments: argparse.Namespace) -> int:
    """Have the container quiet; return 1 where none runs, or where something is still in hand when the wait is over."""
    try:
        folder = running()
        quiet.begin(folder)
    except (SettingsError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    left = _wait(folder, arguments.timeout, Clock()) if arguments.wait else []
    for life in left:
        ids = ", ".join(one["message_id"] for one in life["in_hand"].values()) or "nothing, but it may be receiving"
        print(f"{life['name']} (pid {life['pid']}) is {life['state']}, in hand: {ids}", file=sys.stderr)
    return 1 if left else 0


def running() -> Path:
    """Find the run directory of a container that runs. Raises SettingsError where there is none."""
    folder = rundir.resolve(os.environ.get("CONSUMER_RUN_DIR", ""))
    if not pulse.living(folder):
        remedy = "run this inside the container, with its CONSUMER_RUN_DIR"
        raise SettingsError([problem("CONSUMER_RUN_DIR", "a running container's", f"{folder}, where none is", remedy)])
    return folder


def _wait(folder: Path, seconds: float, clock: Clock) -> list[dict[str, Any]]:
    """Wait until nothing is in hand and nothing can come any more; give the processes of which that is not so."""
    end = clock.monotonic() + seconds
    while left := [life for life in pulse.living(folder) if life["in_hand"] or life["state"] not in SETTLED]:
        if clock.monotonic() >= end:
            return left
        clock.block(LOOK)
    return []

"""`consumer health`: whether this container consumes. Standard library only: it starts anew every few seconds."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from consumer import rundir
from consumer.clock import Clock
from consumer.errors import SettingsError
from consumer.process import pulse

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

DEAF = 300.0  # seconds without an answer from the queue; an empty answer is one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options: none."""
    del parser


def main(arguments: argparse.Namespace) -> int:
    """Print one line, and return 0 while the container consumes, else 1."""
    del arguments
    try:
        healthy, why = verdict(pulse.living(rundir.resolve(os.environ.get("CONSUMER_RUN_DIR", ""))), Clock().time())
    except SettingsError as error:
        healthy, why = False, str(error)
    sys.stdout.write(f"{'healthy' if healthy else 'unhealthy'}: {why}\n")
    return 0 if healthy else 1


def verdict(living: Sequence[dict[str, Any]], now: float) -> tuple[bool, str]:
    """Decide from the signs of life. One stale process is no reason to lose its siblings' work: half of them are."""
    if not living:
        return False, "no process shows a sign of life"
    wanted = max(living, key=lambda life: life["started"])["processes"]
    fresh = [life for life in living if now - life["beat"] <= life["pulse_timeout"]]
    share = f"{len(fresh)} of {wanted} processes have a fresh sign of life"
    if 2 * len(fresh) < wanted:
        return False, share
    if any(life["state"] == "busy" for life in fresh):
        return True, f"{share}, some are busy"
    receiving = [life for life in fresh if life["state"] != "quiet"]
    if not receiving:
        return True, f"{share}, all are quiet"
    if all(life.get("trouble") for life in receiving):  # a new container would not find the database either
        return True, f"{share}; {receiving[0]['trouble']}"
    silence = now - max(_heard(life) for life in receiving)
    return silence < DEAF, f"{share}, the queue last answered one of them {silence:.0f} s ago"


def _heard(life: dict[str, Any]) -> float:
    """Give when the queue last answered a process; one that has just begun to ask is given its time."""
    heard = life["last_receive"] if life["last_receive"] is not None else life["started"]
    return float(max(heard, life.get("idle_since", 0.0)))

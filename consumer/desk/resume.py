"""`consumer resume`: this container takes messages again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from consumer.desk import drain
from consumer.errors import SettingsError
from consumer.process import quiet

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options: none."""
    del parser


def main(arguments: argparse.Namespace) -> int:
    """Have the container receive again; return 1 where none runs, or where the platform is to take it."""
    del arguments
    try:
        folder = drain.running()
        quiet.end(folder)
    except (SettingsError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    if left := quiet.reasons(folder):
        print(f"still quiet: the platform is to take this container: {left['platform']}", file=sys.stderr)
        return 1
    return 0

"""The four settings that the command line may override."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

OPTIONS = {
    "limit": ("MESSAGES", "messages in a process's life (CONSUMER_LIMIT)"),
    "lifetime": ("SECONDS", "age at which a process retires (CONSUMER_LIFETIME)"),
    "memory_limit": ("SIZE", "private memory at which a process retires, such as 256M (CONSUMER_MEMORY_LIMIT)"),
    "failure_limit": ("COUNT", "failures in a row before a process retires (CONSUMER_FAILURE_LIMIT)"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to a command."""
    for name, (unit, text) in OPTIONS.items():
        parser.add_argument("--" + name.replace("_", "-"), metavar=unit, help=text)


def given(arguments: argparse.Namespace) -> dict[str, Any]:
    """Give what was said on the command line, by the settings' names."""
    return {name: value for name in OPTIONS if (value := getattr(arguments, name, None)) is not None}

"""Arguments in, one function call out. A command's module is loaded only when the command is called."""

from __future__ import annotations

import argparse
import gc
import sys
from importlib import import_module

from consumer import hearing, streams
from consumer.errors import INTERRUPTED
from consumer.version import __version__

COMMANDS = {
    "up": ("consumer.container.up", "run the container: supervisord and its processes"),
    "work": ("consumer.process.work", "run one consumer process"),
    "agent": ("consumer.container.agent", "rescue what dead processes held, end frozen and fat ones"),
    "status": ("consumer.desk.status", "show this container's processes and the queue's counts"),
    "drain": ("consumer.desk.drain", "have this container finish what is in hand and take no more messages"),
    "resume": ("consumer.desk.resume", "have this container take messages again"),
    "health": ("consumer.container.health", "exit with 0 while the container consumes, 1 otherwise"),
    "settings": ("consumer.desk.settings", "show every setting, its value and its source"),
    "send": ("consumer.desk.send", "send a file of JSON lines to the queue"),
    "plan": ("consumer.desk.planning.plan", "say how many containers a day needs, and what it costs"),
    "calibrate": ("consumer.desk.planning.calibrate", "watch this container at work: what a process takes, for `plan`"),
    "ledger": (
        "consumer.desk.ledger",
        "the ledger's table: make it, remove what has expired, count its rows, give a trace",
    ),
    "failed": ("consumer.desk.failed", "look at failed messages, send them back or remove them"),
    "rehearse": (
        "consumer.desk.planning.rehearse",
        "simulate a day of the fleet, or a thousand, before you deploy",
    ),
    "demo": ("consumer.local.demo", "drain a local queue on this machine, with no account"),
}


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    return _run(_loaded(sys.argv[1:] if argv is None else argv))


def _loaded(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="consumer", description="Drains an SQS queue and loses nothing.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    called = next((word for word in words if not word.startswith("-")), None)
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".")
        if name == called:  # only this one: `consumer health` must not wait for boto3
            if name == "up":
                hearing.leave_when_told()
            code = import_module(module)
            code.add_arguments(command)
            command.set_defaults(run=code.main)
    return parser.parse_args(words)


def _run(arguments: argparse.Namespace) -> int:
    return int(arguments.run(arguments))


def program() -> int:
    """Run as the program `consumer`: Ctrl-C ends it with the code that shells expect, and without a traceback."""
    streams.open_closed()
    gc.disable()
    try:
        return streams.written("consumer", _called)
    except KeyboardInterrupt:
        return INTERRUPTED


def _called() -> int:
    arguments = _loaded(sys.argv[1:])
    gc.freeze()  # what is loaded stays: to look for garbage in it while it grows is a fifth of a command's start
    gc.enable()
    return _run(arguments)

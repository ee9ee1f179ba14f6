"""`consumer settings`: every setting, its value and where it comes from; also the generator of docs/settings.md."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from consumer import environment, rundir
from consumer.desk.table import table
from consumer.errors import SettingsError
from consumer.process.stop import Leaving
from consumer.settings import AUTO, PREFIX, Settings, extra

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--export", action="store_true", help="print what supervisord.conf needs in its environment")
    form.add_argument("--json", action="store_true", help="print a JSON object")


def main(arguments: argparse.Namespace) -> int:
    """Print the settings; return 64 when they are wrong."""
    try:
        settings, warnings = environment.load()
        exported = environment.exported(settings, rundir.resolve(settings.run_dir)) if arguments.export else {}
    except SettingsError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return Leaving.SETTINGS.value
    for warning in warnings:
        print(warning, file=sys.stderr)
    if arguments.export:
        print("\n".join(f"{name}={value}" for name, value in exported.items()))
        return 0
    rows = [
        (PREFIX + name.upper(), value_of(settings, name), environment.source(name), unit_of(name))
        for name in Settings.model_fields
    ]
    if arguments.json:
        print(json.dumps({name: {"value": value, "source": source} for name, value, source, _ in rows}, indent=2))
    else:
        print(table(("name", "value", "source", "unit"), rows))
    return 0


def reference() -> str:
    """Write docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Environment variables, read once at the start. A wrong value or combination ends it with exit code 64 and",
        "says what was expected, what was got and what to do. `consumer settings` shows what is in force.",
        "This page is generated from `consumer/settings.py` by `scripts/settings-reference`.",
        "",
        "| name | unit | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = extra(name)["default"] or ("required" if field.is_required() else environment.shown(field.default))
        lines.append(f"| `{PREFIX}{name.upper()}` | {unit_of(name)} | {default} | {field.description} |")
    lines += [
        "",
        "`consumer up` and `consumer work` take `--limit`, `--lifetime`, `--memory-limit` and",
        "`--failure-limit`, which win.",
        "AWS's own variables (region, endpoint, credentials) work as boto3 documents; the region may also come from",
        "`AWS_REGION` or the queue's URL.",
        "",
    ]
    return "\n".join(lines)


def value_of(settings: Settings, name: str) -> str:
    """Give a setting's value for people; where there is none, what happens then."""
    value = getattr(settings, name)
    return environment.shown(value) if value not in (None, "", AUTO, ()) else str(extra(name)["default"])


def unit_of(name: str) -> str:
    """Give a setting's unit, or the words that it takes."""
    return str(extra(name)["unit"])


if __name__ == "__main__":
    os.write(1, reference().encode())

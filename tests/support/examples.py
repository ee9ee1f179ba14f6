"""Commands in a page of the documentation, with what they print: an indented block that begins with `$ consumer`."""

from __future__ import annotations

import io
import re
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path

from consumer.cli import main

BLOCK = re.compile(r"^    \$ consumer (?P<words>(?:.*\\\n)*.*)\n(?:    .*\n|\n(?=    (?!\$)))*", re.MULTILINE)


def refreshed(text: str) -> str:
    """Give a page with what its commands print now."""
    return BLOCK.sub(_run, text)


def _run(found: re.Match[str]) -> str:
    printed = io.StringIO()
    with redirect_stdout(printed):
        main(shlex.split(found["words"].replace("\\\n", " ")))
    lines = printed.getvalue().splitlines()
    return f"    $ consumer {found['words']}\n" + "".join(f"    {line}".rstrip() + "\n" for line in lines)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        page = Path(name)
        page.write_text(refreshed(page.read_text()))

"""A bar that shows how far it is, on a terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from consumer.errors import ConsumerError, problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Tell: TypeAlias = Callable[[str, float, str], None]


@contextmanager
def progress(*, silent: bool) -> Iterator[Tell]:
    """Give what is told a name, the share of it that is done, and a word about it."""
    if silent or not sys.stderr.isatty():
        yield lambda _name, _share, _text: None
        return
    try:
        from rich.console import Console  # noqa: PLC0415 - of the extra `plan`
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415 - of the extra `plan`
    except ModuleNotFoundError as error:
        remedy = "pip install 'consumer[plan]', or ask for --json"
        raise ConsumerError(problem("a progress bar", "the extra `plan`", f"no {error.name}", remedy)) from error
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[word]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, int] = {}

        def tell(name: str, share: float, word: str) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=1.0, word="")
            bars.update(tasks[name], completed=share, word=word)  # type: ignore[arg-type]

        yield tell

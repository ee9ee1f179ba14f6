"""What users mark in their own modules: the handler and its hooks. Standard library only, since users import it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


@dataclass(frozen=True, slots=True)
class Marks:
    """What `@handler(...)` was given."""

    key: Callable[[Any], str] | None = None
    key_ttl: float = 86_400


PRELOAD: list[Callable[[], Any]] = []
RESET: list[Callable[[], Any]] = []
MARKED = "__consumer__"


@overload
def handler(function: F, /) -> F: ...
@overload
def handler(*, key: Callable[[Any], str] | None = None, key_ttl: float = 86_400) -> Callable[[F], F]: ...
def handler(
    function: F | None = None, /, *, key: Callable[[Any], str] | None = None, key_ttl: float = 86_400
) -> F | Callable[[F], F]:
    """Mark a function as a handler. A plain function will do as well; the mark says so, and carries options.

    key: names the work of a message, so that repeats under other message ids are done once; needs the ledger.
    key_ttl: seconds for which repeats are blocked.
    """

    def mark(marked: F) -> F:
        setattr(marked, MARKED, Marks(key, key_ttl))
        return marked

    return mark if function is None else mark(function)


def on_preload(function: F) -> F:
    """Have a function called once per container, before the first process is forked: load what all can share.

    It must not start threads or leave connections open: neither survives a fork.
    """
    PRELOAD.append(function)
    return function


def on_reset(function: F) -> F:
    """Have a function (`def` or `async def`) called between messages, whenever no message is in hand.

    For what a handler keeps in globals: an SDK's session with a customer's token, a cache, a temporary folder.
    """
    RESET.append(function)
    return function

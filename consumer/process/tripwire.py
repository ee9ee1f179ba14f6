"""What differs in a process from how it was before its handler ran: looked for between two messages, and named.

Nothing here ever raises. What there is to be looked at: traces.py.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FEW = 5  # names in one finding


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was left behind. put_back: it is as it was before; brief: it may be about to end by itself."""

    kind: str
    what: str
    put_back: bool = False
    brief: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of state.

    read: gives its value now; is handed the life's first value, None at first.
    tell: says in words what of it was left behind, from its first value and its value now; nothing for nothing.
    mend: puts the first value back.
    brief: what is found may be about to end by itself. seldom: costs too much to be read after each message.
    """

    name: str
    read: Callable[[Any], Any]
    tell: Callable[[Any, Any], str]
    mend: Callable[[Any], object] | None = None
    brief: bool = False
    seldom: bool = False


class Tripwire:
    """One life's first values, and which kinds have been found to differ from them.

    A kind is found once: from then on it is read only where it must be put back.
    """

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._said: set[str] = set()
        self._before: list[tuple[Kind, Any]] = []
        for kind in kinds:
            with suppress(Exception):  # what cannot be read now has no first value, and is never looked at
                self._before.append((kind, kind.read(None)))

    def look(self, *, seldom: bool) -> list[Finding]:
        """Put back what can be, and give what is found for the first time. seldom: with what costs more to read."""
        found = [self._found(kind, before) for kind, before in self._before if seldom or not kind.seldom]
        return [finding for finding in found if finding]

    def said(self, finding: Finding) -> None:
        """Note that a kind has been named."""
        self._said.add(finding.kind)

    def _found(self, kind: Kind, before: object) -> Finding | None:
        said = kind.name in self._said
        if said and kind.mend is None:
            return None
        try:
            what = kind.tell(before, kind.read(before))
        except Exception:  # noqa: BLE001 - no descriptor left to look with: nothing is known then
            return None
        if not what:
            return None
        put_back = _mended(kind, before)
        return None if said else Finding(kind.name, what, put_back, kind.brief)


def _mended(kind: Kind, before: object) -> bool:
    if kind.mend is None:
        return False
    try:
        kind.mend(before)
    except Exception:  # noqa: BLE001 - a folder that is gone cannot be gone back to
        return False
    return True


def listed(names: Iterable[str]) -> str:
    """Name a few."""
    every = sorted(names)
    return ", ".join(every[:FEW]) + (f" and {len(every) - FEW} more" if len(every) > FEW else "")

"""Finds and loads the user's handler."""

from __future__ import annotations

import inspect
import math
import os
import sys
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from consumer.errors import HandlerError, described
from consumer.message.body import Decoder
from consumer.message.message import Message
from consumer.process.context import Context
from consumer.process.hooks import MARKED, PRELOAD, Marks

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.settings import Settings


NO_MARKS = Marks()
PATCHABLE = ("threading", "thread", "time", "socket", "select")  # what the control loop and its lanes stand on


@dataclass(frozen=True, slots=True)
class Handler:
    """The user's function, and how to call it."""

    function: Callable[..., Any]
    is_async: bool
    wants_context: bool
    decoder: Decoder
    marks: Marks = NO_MARKS

    def call(self, message: Message[Any], context: Context) -> Any:  # noqa: ANN401 - the user's
        """Call the function; of an async one, give the coroutine."""
        return self.function(message, context) if self.wants_context else self.function(message)


@lru_cache(maxsize=1)  # forked processes share what was loaded before the fork
def load(settings: Settings) -> Handler:
    """Import the handler's module, with the working directory first on the path, and look at the function.

    Raises HandlerError when that cannot be done, with what was expected and what was got.
    """
    module_name, _, name = settings.handler.partition(":")
    function: Any = enter(module_name, settings.handler)
    refuse_patched()
    for part in name.split("."):
        function = getattr(function, part, None)
        if function is None:
            raise _wrong(settings, f"a function {name!r} in {module_name}", f"none; {module_name} has no {part!r}")
    if not callable(function) or inspect.isclass(function):
        raise _wrong(settings, "a function", f"{type(function).__name__}: {function!r}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise _wrong(settings, "a function that runs when it is called", "one that yields")
    marks: Marks = getattr(function, MARKED, NO_MARKS)
    if marks.key is not None and settings.database_url is None:
        raise _wrong(settings, "no key=, which needs a ledger (CONSUMER_DATABASE_URL)", "a key= and no ledger")
    ttl: Any = marks.key_ttl
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 0 < ttl < math.inf:  # NaN, too
        raise _wrong(settings, "a key_ttl= of more than 0 seconds", repr(ttl))
    positional = _positional(settings, function)
    return Handler(
        function=function,
        is_async=inspect.iscoroutinefunction(function)
        or inspect.iscoroutinefunction(getattr(function, "__call__", None)),  # noqa: B004
        wants_context=len(positional) > 1,
        decoder=Decoder(settings.body, settings.envelope, _body_type(settings, function, positional[0])),
        marks=marks,
    )


def enter(module: str, wanted_by: str) -> Any:  # noqa: ANN401 - a module
    """Import one of the user's modules. Raises HandlerError with the cause."""
    try:
        here = os.getcwd()  # noqa: PTH109 - sys.path holds strings
    except OSError as error:
        raise HandlerError(f"{wanted_by}: expected a working directory; got {described(error)}.") from error
    if sys.path[:1] != [here]:
        sys.path.insert(0, here)
    try:
        return import_module(module)
    except (Exception, SystemExit) as error:  # a script without its `if __name__ == "__main__"`
        raise HandlerError(
            f"{wanted_by}: expected a module {module!r} that can be imported from {here}; "
            f"got {described(error)}. "
            "To do: correct the name, or run from the folder that holds it."
        ) from error


def refuse_patched() -> None:
    """Raise HandlerError where gevent has patched the interpreter.

    Its locks, sockets and sleeps wait for a hub that nobody runs here: lanes would never answer, and leases lapse.
    """
    monkey: Any = sys.modules.get("gevent.monkey")
    parts = [part for part in PATCHABLE if monkey is not None and monkey.is_module_patched(part)]
    if parts:
        raise HandlerError(
            "gevent: expected the interpreter's own threads, locks and sockets, which the event loop and leases need; "
            f"got gevent's in place of {', '.join(parts)}, under which both would stall. "
            "To do: take out monkey.patch_all(); for many messages at once use CONSUMER_CONCURRENCY or async def."
        )


def run_preload_hooks() -> None:
    """Call what users marked with @on_preload. Raises HandlerError with the hook's name when one fails."""
    for hook in PRELOAD:
        try:
            hook()
        except (Exception, SystemExit) as error:
            name = getattr(hook, "__qualname__", repr(hook))
            raise HandlerError(f"@on_preload {name}: {described(error)}") from error
    refuse_patched()


def _positional(settings: Settings, function: Callable[..., Any]) -> list[str]:
    """Name the parameters that a call by position fills."""
    try:
        signature = inspect.signature(function, follow_wrapped=False)  # a decorator's function may ask for less
        if any(one.kind is one.VAR_POSITIONAL for one in signature.parameters.values()):
            signature = inspect.signature(function)  # it passes on what it is given
    except (TypeError, ValueError) as error:
        raise _wrong(settings, "a function with a signature", str(error)) from error
    parameters = list(signature.parameters.values())
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    usable = [one for one in parameters if one.kind in kinds]
    required = [one for one in usable if one.default is one.empty]
    forced = [one for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY and one.default is one.empty]
    starred = any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters)
    if forced or len(required) > 2 or not (usable or starred):  # noqa: PLR2004 - message and context
        raise _wrong(settings, "handler(message) or handler(message, context)", f"{function}{signature}")
    return [one.name for one in usable][:2] if usable else ["message", "context"]


def _body_type(settings: Settings, function: Callable[..., Any], first: str) -> Any:  # noqa: ANN401 - any type at all
    """Give the T of an annotation Message[T], else Any."""
    while isinstance(function, partial):
        function = function.func
    target = function if inspect.isfunction(function) or inspect.ismethod(function) else type(function).__call__
    raw: object = None
    try:
        raw = getattr(target, "__annotations__", {}).get(first)
        found = get_type_hints(target, localns={"Message": Message, "Context": Context}, include_extras=True).get(first)
    except (NameError, TypeError, AttributeError) as error:
        if raw is None or (isinstance(raw, str) and "[" not in raw):
            return Any  # a plain name that only type checkers can see says nothing about the body
        raise _wrong(settings, "annotations whose names exist at run time", str(error)) from error
    return get_args(found)[0] if get_origin(found) is Message else Any


def _wrong(settings: Settings, expected: str, got: str) -> HandlerError:
    return HandlerError(f"CONSUMER_HANDLER={settings.handler}: expected {expected}; got {got}.")

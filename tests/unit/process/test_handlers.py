from __future__ import annotations

import sys
from decimal import Decimal
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from consumer.errors import HandlerError, Reject
from consumer.process import handlers, hooks
from consumer.process.context import Context
from unit.doubles import message, settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consumer.process.handlers import Handler


INJECTS = """
from functools import wraps
def decorate(function):
    @wraps(function)
    def wrapper(message):
        return function(message, "session")
    return wrapper
@decorate
"""
PASSES_ON = INJECTS.replace("(message)", "(*args)").replace('(message, "session")', "(*args)")


class Workshop:
    """Loads a handler out of a module that a test writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, source: str, name: str = "handle", **given: Any) -> Handler:
        (self.folder / "app_under_test.py").write_text(dedent(source))
        sys.modules.pop("app_under_test", None)
        handlers.load.cache_clear()  # the sources all go by one name
        return handlers.load(settings(handler=f"app_under_test:{name}", **given))

    def fails(self, source: str, name: str = "handle", **given: Any) -> str:
        with pytest.raises(HandlerError) as caught:
            self.load(source, name, **given)
        return str(caught.value)


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(hooks, "PRELOAD", [])
    monkeypatch.setattr(handlers, "PRELOAD", hooks.PRELOAD)
    yield Workshop(tmp_path)
    sys.modules.pop("app_under_test", None)


def body_of(handler: Handler, text: str) -> Any:
    decoded = handler.decoder.decode(message(body=text))
    assert decoded is not None
    return decoded.body


@pytest.mark.parametrize(
    ("source", "wants_context", "is_async"),
    [
        ("def handle(message): pass", False, False),
        ("def handle(message, context): pass", True, False),
        ("def handle(message, context=None): pass", True, False),
        ("def handle(*args): pass", True, False),
        ("def handle(message, *, verbose=False): pass", False, False),
        ("def handle(message, /, context): pass", True, False),
        ("async def handle(message): pass", False, True),
        ("async def handle(message, context): pass", True, True),
        ("from consumer import handler\n@handler\ndef handle(message): pass", False, False),
        ("from consumer import handler\n@handler()\nasync def handle(message): pass", False, True),
        ("class Handle:\n  def __call__(self, message, context): pass\nhandle = Handle()", True, False),
        ("class Handle:\n  async def __call__(self, message): pass\nhandle = Handle()", False, True),
        ("class Handle:\n  def do(self, message): pass\nhandle = Handle().do", False, False),
        ("class Handle:\n  async def do(self, message, context): pass\nhandle = Handle().do", True, True),
        (f"{INJECTS}def handle(message, session): pass", False, False),
        (f"{PASSES_ON}def handle(message, context): pass", True, False),
        (f"{PASSES_ON}def handle(message): pass", False, False),
        ("from functools import partial\ndef do(message, url): pass\nhandle = partial(do, url='x')", False, False),
        ("from functools import partial\nasync def do(url, message): pass\nhandle = partial(do, 'x')", False, True),
    ],
)
def test_whatever_can_be_called_with_a_message_is_a_handler(
    workshop: Workshop, source: str, *, wants_context: bool, is_async: bool
) -> None:
    loaded = workshop.load(source)
    assert (loaded.wants_context, loaded.is_async) == (wants_context, is_async)


def test_a_handler_is_called_with_as_much_as_it_takes(workshop: Workshop) -> None:
    context = Context(1, None, lambda: 1.0)
    assert workshop.load("def handle(message): return message.id").call(message("m7"), context) == "m7"
    both = workshop.load("def handle(message, context): return message.id, context")
    assert both.call(message("m7"), context) == ("m7", context)


def test_a_method_of_a_class_in_a_module_can_be_named(workshop: Workshop) -> None:
    source = "class Orders:\n  @staticmethod\n  def fetch(message): return 'fetched'"
    loaded = workshop.load(source, "Orders.fetch")
    assert loaded.call(message(), Context(1, None, lambda: 1.0)) == "fetched"


def test_the_working_directory_is_first_on_the_path(workshop: Workshop) -> None:
    workshop.load("def handle(message): pass")
    workshop.load("def handle(message): pass")
    assert sys.path[0] == str(workshop.folder)
    assert sys.path.count(str(workshop.folder)) == 1


PREAMBLE = """
    from __future__ import annotations
    from typing import TYPE_CHECKING
    from pydantic import BaseModel
    if TYPE_CHECKING:
        from elsewhere import Unknown
    from consumer import Context, Message
    class Order(BaseModel):
        id: int
"""


@pytest.mark.parametrize(
    "definition",
    [
        "def handle(message: Message[Order]): pass",
        "def handle(message: Message[Order], context: Context) -> None: pass",
        "async def handle(message: 'Message[Order]'): pass",
        "class Handle:\n        def __call__(self, message: Message[Order]): pass\n    handle = Handle()",
        "class Handle:\n        def do(self, message: Message[Order]): pass\n    handle = Handle().do",
        "from functools import partial\n    def do(url, message: Message[Order]): pass\n    handle = partial(do, 'x')",
        "from functools import wraps\n    def do(m: Message[Order]): pass\n    handle = wraps(do)(lambda *_: None)",
    ],
)
@pytest.mark.parametrize("future", [True, False])
def test_the_type_of_the_body_is_found_in_the_annotation(workshop: Workshop, definition: str, *, future: bool) -> None:
    source = PREAMBLE if future else PREAMBLE.replace("from __future__ import annotations", "")
    loaded = workshop.load(f"{source}\n    {definition}\n")
    assert type(body_of(loaded, '{"id": "7"}')).__name__ == "Order"
    with pytest.raises(Reject):
        loaded.decoder.decode(message(body='{"id": "seven"}'))


@pytest.mark.parametrize(
    "definition",
    [
        "def handle(message): pass",
        "def handle(message: Message): pass",
        "def handle(message: Unknown): pass",
        "def handle(message: Message, other: Unknown = None): pass",
        "def handle(message: Message) -> Unknown: pass",
        "handle = lambda message: None",
    ],
)
def test_without_a_type_the_body_is_its_json_value(workshop: Workshop, definition: str) -> None:
    assert body_of(workshop.load(f"{PREAMBLE}\n    {definition}\n"), '{"id": "7"}') == {"id": "7"}


def test_a_message_that_only_type_checkers_import_is_known_all_the_same(workshop: Workshop) -> None:
    source = """
        from __future__ import annotations
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from consumer import Context, Message
        def handle(message: Message[list[int]], context: Context) -> None: pass
    """
    assert body_of(workshop.load(source), '["7"]') == [7]


@pytest.mark.parametrize(
    ("source", "name", "expected"),
    [
        ("x = 1", "handle", "expected a function 'handle' in app_under_test; got none; app_under_test has no 'handle'"),
        ("class A: pass", "A.fetch", "app_under_test has no 'fetch'"),
        ("handle = 3", "handle", "expected a function; got int: 3"),
        ("class handle:\n  def __init__(self, message): pass", "handle", "expected a function; got type: <class"),
        ("def handle(): pass", "handle", "expected handler(message) or handler(message, context); got <function"),
        (
            "def handle(a, b, c): pass",
            "handle",
            "expected handler(message) or handler(message, context); got <function",
        ),
        ("def handle(message, *, url): pass", "handle", "expected handler(message) or handler(message, context)"),
        ("def handle(**message): pass", "handle", "expected handler(message) or handler(message, context)"),
        (
            "def handle(message): yield",
            "handle",
            "expected a function that runs when it is called; got one that yields",
        ),
        ("async def handle(message): yield", "handle", "got one that yields"),
        (
            "import no_such_module_of_ours",
            "handle",
            "got ModuleNotFoundError: No module named 'no_such_module_of_ours'",
        ),
        ("def handle(message) pass", "handle", "got SyntaxError"),
        ("raise RuntimeError('no config')", "handle", "got RuntimeError: no config"),
        ("import sys\nsys.exit(3)", "handle", "got SystemExit: 3"),
        (
            "from consumer import handler\n@handler(key=lambda m: m.id)\ndef handle(message): pass",
            "handle",
            "expected no key=, which needs a ledger (CONSUMER_DATABASE_URL); got a key=",
        ),
        (
            "from __future__ import annotations\nfrom consumer import Message\ndef handle(m: Message[Nope]): pass",
            "handle",
            "expected annotations whose names exist at run time; got name 'Nope' is not defined",
        ),
        (
            "from consumer import Message\nclass Odd: pass\ndef handle(message: Message[Odd]): pass",
            "handle",
            "expected a type that pydantic validates; got PydanticSchemaGenerationError",
        ),
    ],
)
def test_what_cannot_be_loaded_says_what_was_expected_and_what_was_got(
    workshop: Workshop, source: str, name: str, expected: str
) -> None:
    problem = workshop.fails(source, name)
    assert expected in problem
    assert "expected" in problem
    assert "app_under_test" in problem or "Message[" in problem


def test_a_module_that_is_not_there_says_where_it_was_looked_for(workshop: Workshop) -> None:
    with pytest.raises(HandlerError) as caught:
        handlers.load(settings(handler="no_such_app.tasks:handle"))
    text = str(caught.value)
    assert text.startswith("no_such_app.tasks:handle: expected a module 'no_such_app.tasks' that can be imported from")
    assert str(workshop.folder) in text
    assert "To do: " in text


def test_preload_hooks_run_in_their_order_and_one_that_fails_is_named(workshop: Workshop) -> None:
    workshop.load(
        """
        import sys
        from functools import partial
        from consumer import on_preload
        seen = []
        @on_preload
        def first(): seen.append(1)
        on_preload(partial(seen.append, 2))
        @on_preload
        def third(): sys.exit(4)
        def handle(message): pass
        """
    )
    with pytest.raises(HandlerError, match="@on_preload third: SystemExit: 4"):
        handlers.run_preload_hooks()
    assert sys.modules["app_under_test"].seen == [1, 2]


def test_marks_leave_a_function_what_it_is() -> None:
    def work(message: object) -> object:
        return message

    assert hooks.handler(work) is work
    assert hooks.handler(key=None)(work) is work
    assert hooks.on_reset(work) is work
    assert hooks.RESET.pop().__name__ == "work"


def test_a_context_says_when_to_end_and_never_less_than_no_seconds() -> None:
    told: list[float] = []
    left = [5.0]
    context = Context(2, "log", lambda: left[0], told.append)
    assert (context.attempt, context.log, context.stopping, context.remaining()) == (2, "log", False, 5.0)
    left[0] = -3.0
    assert context.remaining() == 0
    context.tell()
    assert context.stopping
    for fraction in (0.4, 7, -1):
        context.progress(fraction)
    assert told == [0.4, 1, 0]


def test_progress_takes_any_number_and_nothing_else() -> None:
    told: list[float] = []
    context = Context(1, None, lambda: 1.0, told.append)
    context.progress(Decimal("0.5"))  # type: ignore[arg-type]
    assert type(told[0]) is float
    with pytest.raises(TypeError):
        context.progress(None)  # type: ignore[arg-type]


def test_a_working_directory_that_is_gone_is_named(workshop: Workshop) -> None:
    workshop.folder.rmdir()
    handlers.load.cache_clear()
    with pytest.raises(HandlerError, match="expected a working directory; got FileNotFoundError"):
        handlers.load(settings(handler="app_under_test:handle"))


@pytest.mark.parametrize("ttl", ["'1h'", "float('nan')", "float('inf')", "0", "-1", "True", "None"])
def test_a_key_ttl_that_no_clock_can_count_is_refused_before_a_message_is_taken(workshop: Workshop, ttl: str) -> None:
    source = f"""
        from consumer import handler
        @handler(key=lambda message: "a", key_ttl={ttl})
        def handle(message): ...
    """
    assert "expected a key_ttl= of more than 0 seconds; got" in workshop.fails(source, database_url="sqlite:///l.db")

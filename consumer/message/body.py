"""Decodes a body: out of its envelopes, from JSON or text, into the handler's own type. Runs off the control loop."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter, ValidationError

from consumer.errors import HandlerError, Reject, described

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.message.message import Message

TESTED = "s3:TestEvent"  # S3 sends it once, when a bucket's notification is configured


class Decoder:
    """Turns a message as received into the one that the handler is given."""

    def __init__(self, body: str, envelopes: Sequence[str], expected: Any = Any) -> None:  # noqa: ANN401 - any type
        self._json = body == "json"
        self._envelopes = envelopes
        self._adapter = None if expected is Any else adapter(expected)

    def decode(self, message: Message[str]) -> Message[Any] | None:
        """Decode a message's body; None when there is nothing to run for. Raises Reject when it cannot be decoded."""
        try:
            value: Any = message.text
            for envelope in self._envelopes:
                value = unwrap(envelope, _parsed(value))
                if value is None:
                    return None
            return replace(message, body=self._typed(value))
        except ValidationError as error:
            raise Reject(f"body: {_summary(error)}") from None  # pydantic's own text shows the body
        except (ValueError, RecursionError) as error:
            raise Reject(f"body: {described(error)}") from None

    def _typed(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        if not self._json:
            text = value if isinstance(value, str) else json.dumps(value)
            return text if self._adapter is None else self._adapter.validate_python(text)
        if self._adapter is None:
            return _parsed(value)
        return self._adapter.validate_json(value if isinstance(value, str) else json.dumps(value))


def adapter(expected: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - any type at all
    """Build pydantic's validator for the handler's type. Raises HandlerError when pydantic cannot."""
    try:
        found = TypeAdapter(expected)
        found.rebuild(raise_errors=True)  # a name that is missing inside the type would else fail every message
    except (PydanticUserError, PydanticUndefinedAnnotation, TypeError) as error:
        raise HandlerError(
            f"Message[{expected}]: expected a type that pydantic validates; got {described(error)}"
        ) from error
    return found


def unwrap(envelope: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    """Take one envelope off. Returns None for a test event. Raises Reject when the envelope is another."""
    match envelope, value:
        case "sns", {"Message": str(inner)}:
            return inner
        case "eventbridge", {"detail": inner} if inner is not None:
            return inner
        case "s3", {"Event": event} if event == TESTED:
            return None
        case "s3", {"Records": list(inner)}:
            return inner
    wanted = {"sns": "Message", "eventbridge": "detail", "s3": "Records"}[envelope]
    raise Reject(f"body: expected the envelope {envelope} (an object with {wanted!r}); got {_shape(value)}")


def inside(text: str, envelopes: Sequence[str]) -> str:
    """Give what is inside a body's envelopes, which bear a time and a signature of their own each time that they come.

    A body that is not in them stays as it is.
    """
    value: Any = text
    try:
        for envelope in envelopes:
            value = unwrap(envelope, _parsed(value))
    except (Reject, ValueError, RecursionError):
        return text
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _parsed(value: Any) -> Any:  # noqa: ANN401 - JSON
    return json.loads(value) if isinstance(value, str) else value


def _shape(value: Any) -> str:  # noqa: ANN401 - JSON
    return f"an object with {sorted(value)[:5]}" if isinstance(value, dict) else type(value).__name__


def _summary(error: ValidationError) -> str:
    """Say where and what, never the values: bodies are never logged."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"])) or "the body"
    more = f", and {error.error_count() - 1} more" if error.error_count() > 1 else ""
    return f"{place}: {first['msg']}{more}"

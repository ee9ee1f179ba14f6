"""Drains an SQS queue with as many I/O-bound processes as a container safely holds. This is all that users import."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from consumer.errors import ConsumerError, Reject, Retry
    from consumer.message.lookup import lookup
    from consumer.message.message import Message
    from consumer.process.context import Context
    from consumer.process.hooks import handler, on_preload, on_reset

__all__ = ["ConsumerError", "Context", "Message", "Reject", "Retry", "handler", "lookup", "on_preload", "on_reset"]

HOMES = {
    "ConsumerError": "consumer.errors",
    "Context": "consumer.process.context",
    "Message": "consumer.message.message",
    "Reject": "consumer.errors",
    "Retry": "consumer.errors",
    "handler": "consumer.process.hooks",
    "lookup": "consumer.message.lookup",
    "on_preload": "consumer.process.hooks",
    "on_reset": "consumer.process.hooks",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562
    """Load a name when it is first used: `consumer health` starts every few seconds, and needs none of them."""
    if name not in HOMES:
        raise AttributeError(f"module 'consumer' has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(HOMES[name]), name)
    return found

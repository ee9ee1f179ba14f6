"""Drains an SQS queue with as many I/O-bound processes as a container safely holds. This is all that users import."""

from consumer.errors import ConsumerError, Reject, Retry
from consumer.message.message import Message
from consumer.process.context import Context
from consumer.process.hooks import handler, on_preload, on_reset

__all__ = ["ConsumerError", "Context", "Message", "Reject", "Retry", "handler", "on_preload", "on_reset"]

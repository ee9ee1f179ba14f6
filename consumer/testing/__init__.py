"""Doubles for tests: ours, and yours of your handlers."""

from consumer.testing.clock import FakeClock

__all__ = ["FakeClock"]

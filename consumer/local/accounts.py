"""What the slow service did for each order: its own accounts, kept apart from whatever the consumers say themselves."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Account:
    """One order: calls begun, calls answered with its report, and seconds of work for all calls that were answered."""

    calls: int = 0
    completed: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Accounts:
    """All orders that the service was asked for."""

    by_order: dict[str, Account] = field(default_factory=dict)

    def of(self, order_id: str) -> Account:
        """Open or find an order's account."""
        return self.by_order.setdefault(order_id, Account())

    def completed(self) -> set[str]:
        """Name the orders that got their report."""
        return {order_id for order_id, account in list(self.by_order.items()) if account.completed}

    def duplicates(self) -> int:
        """Count the reports made once more than needed."""
        return sum(max(0, account.completed - 1) for account in list(self.by_order.values()))

    def seconds(self) -> float:
        """Sum the seconds of work, as ordered and not as measured: a service late by its own fault earns nothing."""
        return sum(account.seconds for account in list(self.by_order.values()))

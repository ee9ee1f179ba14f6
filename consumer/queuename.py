"""The name by which logs, metrics and the ledger know a queue."""


def of(queue: str) -> str:
    """Give a queue's name, of its URL or its name."""
    return queue.rstrip("/").rpartition("/")[2]

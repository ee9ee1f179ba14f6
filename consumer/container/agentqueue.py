"""The queue, as the agent asks it: each call once, in threads of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.lane import Lane
from consumer.message import client, queue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumer.settings import Settings


class AgentQueue:
    """Found when it is first asked: the agent starts whether it answers or not."""

    def __init__(self, settings: Settings) -> None:
        self._name, self._url = settings.queue_url, ""
        self._sqs = client.once(self._name)
        self._lane = Lane("rescue", 4)

    async def give_back(self, handles: Sequence[tuple[str, int]]) -> dict[int, str]:
        """Have messages visible after so many seconds; give the codes of those that were refused, by their places."""
        return await self._lane.run(lambda: queue.hide_each(self._sqs, self._locate(), handles))

    async def counts(self) -> queue.Counts:
        """Read the queue's counts."""
        return await self._lane.run(lambda: queue.counts(self._sqs, self._locate()))

    def _locate(self) -> str:
        self._url = self._url or queue.locate(self._sqs, self._name)
        return self._url

"""Which tests share a worker: those that share a server that is slow to start, an engine, or AWS's stand-in.

pytest-xdist 3.8 has a mark for this, xdist_group, and writes it where pytest 9.2 no longer looks: it groups nothing.
"""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling

MOTO = (
    "tests/integration/test_deploying",
    "tests/integration/test_pushing",
    "tests/integration/test_template_deployed",
)
"""What they need takes a worker ten seconds to load."""


class Groups(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Hands out tests one by one, and groups together."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """Give a test's group, which is itself where it has none."""
    if nodeid.startswith("tests/container/"):
        return "container"
    if nodeid.startswith(MOTO):
        return "moto"
    return "localstack" if re.search(r"[\[-]localstack[\]-]", nodeid) else nodeid

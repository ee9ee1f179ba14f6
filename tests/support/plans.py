"""Workloads, markets and limits for the planning's tests: the usual one, and any."""

from __future__ import annotations

from hypothesis import strategies as st

from consumer.fleet.planning import price
from consumer.fleet.planning.bills import Market
from consumer.fleet.planning.calibration import Calibration
from consumer.fleet.planning.workload import Workload

HOUR = 3600.0
USUAL = Workload(2000, 30.0, 165.0, 300.0, 4 * HOUR, 9 * HOUR)  # the example of the documentation
TOKYO = Market(price.load("ap-northeast-1"), Calibration())


@st.composite
def workloads(draw: st.DrawFn, most: int = 100_000) -> Workload:
    """Any workload in whole seconds, so that a sum of runs is exact."""
    shortest = draw(st.integers(1, 600))
    longest = draw(st.integers(shortest, 900))
    mean = draw(st.integers(shortest, longest))
    opens, window = draw(st.integers(0, 23)) * HOUR, draw(st.integers(1, 22)) * HOUR
    return Workload(draw(st.integers(1, most)), shortest, mean, longest, opens, (opens + window) % (24 * HOUR))


@st.composite
def runs(draw: st.DrawFn, load: Workload) -> list[float]:
    """The seconds of each message, none longer than the longest and all together as many as the average says."""
    found: list[float] = []
    for _ in range(load.messages // 2):  # two by two, as far below the average as above it
        aside = draw(st.floats(0, min(load.longest - load.mean, load.mean - load.shortest)))
        found += [load.mean - aside, load.mean + aside]
    return found + [load.mean] * (load.messages % 2)


calibrations = st.builds(
    Calibration,
    container_mib=st.floats(50, 400),
    process_mib=st.floats(5, 200),
    message_mib=st.floats(0, 2000),
    message_cpu=st.floats(0, 1),
    known=st.sampled_from([frozenset(), frozenset({"message_mib", "message_cpu"})]),
)

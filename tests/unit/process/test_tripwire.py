from __future__ import annotations

from consumer.process.tripwire import Kind, Tripwire


def test_what_cannot_be_read_is_never_looked_at_and_raises_nothing() -> None:
    def broken(_: object) -> None:
        raise OSError("no /proc here")

    assert Tripwire([Kind("broken", broken, lambda *_: "seen")]).look(seldom=True) == []


def test_what_can_no_longer_be_read_is_no_finding() -> None:
    values = iter([1])
    assert Tripwire([Kind("runs out", lambda _: next(values), lambda *_: "seen")]).look(seldom=True) == []


def test_a_kind_is_told_once_and_read_no_more() -> None:
    reads: list[object] = []
    wire = Tripwire([Kind("counter", reads.append, lambda *_: "seen")])
    (finding,) = wire.look(seldom=True)
    wire.said(finding)
    assert wire.look(seldom=True) == []
    assert len(reads) == 2

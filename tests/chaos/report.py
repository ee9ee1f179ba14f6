"""What a chaos run has come to, told to people. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumer.desk.table import table

if TYPE_CHECKING:
    from chaos.checker import Verdict
    from chaos.history import Fault, History

MOST = 30  # violations that are shown


def report(history: History, verdict: Verdict, seconds: float) -> str:
    """Tell of each fault how often it was injected and survived; then the figures, then the verdict."""
    kinds: dict[str, list[Fault]] = {}
    for fault in sorted(history.faults, key=lambda one: one.kind):
        kinds.setdefault(fault.kind, []).append(fault)
    done = last_done(history)
    rows = [
        (len(some), sum(survived(one, done) for one in some), sum(one.hit for one in some), kind)
        for kind, some in kinds.items()
    ]
    faults = table(("injected", "survived", "met", "fault"), rows)
    told = "\n".join(f"  {name:<11}{figure:>7}   {text}".rstrip() for name, figure, text in figures(history, verdict))
    more = len(verdict.violations) - MOST
    wrong = [*verdict.violations[:MOST], *([f"... and {more} more"] if more > 0 else [])]
    end = "\n".join(wrong) or "Every promise was kept."
    return f"{faults}\n\n{told}\n  {'seconds':<11}{seconds:>7.0f}\n\n{end}"


def figures(history: History, verdict: Verdict) -> list[tuple[str, int | str, str]]:
    """Give the figures, each with what it counts."""
    works = len({sent.key for sent in history.sent if not sent.poison})
    poison = sum(sent.poison for sent in history.sent)
    repeated = sum(verdict.repeated.values())
    return [
        ("messages", len(history.sent), f"for {works} pieces of work, some sent twice; {poison} of them poison"),
        ("faults", len(history.faults), ""),
        ("lost", verdict.lost, "pieces of work without an effect, or poison that is not in the dead-letter queue"),
        ("duplicated", verdict.duplicated, "effects beyond the one that each piece of work has"),
        ("calls", len(history.runs), f"to the outside, {repeated} of them beyond the one that counts:"),
        *(("", count, f"  {why}") for why, count in verdict.repeated.most_common()),
        (
            "dead twice",
            verdict.dead_twice,
            "poison that was sent to the dead-letter queue, and not yet deleted, when a fault fell",
        ),
        ("ends", verdict.ends, "of processes, abnormal, each with its reason in the log"),
    ]


def last_done(history: History) -> dict[int, float]:
    """Say when each container has last brought a message to its end."""
    last: dict[int, float] = {}
    for line in history.lines:
        if line.event == "delivered" and line.facts["outcome"] == "done":
            last[line.container] = max(last.get(line.container, 0.0), line.at)
    return last


def survived(fault: Fault, done: dict[int, float]) -> bool:
    """Say whether work went on after a fault: in the container that it was aimed at, where that was to live on."""
    if fault.container is None or fault.kind in {"kill container", "replace container"}:
        return max(done.values(), default=0.0) >= fault.ended
    return done.get(fault.container, 0.0) >= fault.ended

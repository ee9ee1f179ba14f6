"""`consumer failed`: what is in the dead-letter queue; sending it back, or removing it."""

from __future__ import annotations

import os
import re
from argparse import ArgumentTypeError
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from consumer.clock import Clock
from consumer.desk import failedpage as page
from consumer.desk import terminal
from consumer.desk.deadletters import DeadLetters
from consumer.desk.letter import DAY, HOUR, MINUTE, Filter, Letter, statistics
from consumer.desk.reopening import Reopening
from consumer.errors import INTERRUPTED, LedgerError, SettingsError, problem
from consumer.message.trouble import explained
from consumer.process.stop import Leaving

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from consumer.desk.hand import Hand

UNITS = {"": 1, "s": 1, "m": MINUTE, "h": HOUR, "d": DAY}


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the subcommands and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list failed messages, without their bodies")
    listing.add_argument("--stats", action="store_true", help="count them by reason and error instead")
    listing.add_argument("--limit", type=_count, metavar="N", help="stop after so many")
    show = actions.add_parser("show", help="show all of one failed message, its body too")
    show.add_argument("id", metavar="ID", help="its id here, or the one it had in the queue, as in the log")
    retry = actions.add_parser("retry", help="send failed messages back to the queue")
    retry.add_argument("--rate", type=_rate, metavar="N", help="send so many a second at most (default: no limit)")
    remove = actions.add_parser("remove", help="delete failed messages")
    for command in (retry, remove):
        command.add_argument("ids", nargs="*", metavar="ID", help="ids, as list shows them")
        command.add_argument("--all", action="store_true", help="all that the filters let through")
        command.add_argument("--dry-run", action="store_true", help="only list what it would be done to")
    for command in (listing, retry, remove):
        command.add_argument("--reason", default="", metavar="TEXT", help="only those whose reason contains TEXT")
        command.add_argument("--error", default="", metavar="CLASS", help="only those whose error is of this class")
        command.add_argument("--older-than", type=_duration, metavar="AGE", help="90, 90s, 15m, 2h, 3d")
        command.add_argument("--newer-than", type=_duration, metavar="AGE", help="as --older-than")
    for command in (listing, show, retry, remove):
        command.add_argument("--json", action="store_true", help="print one JSON object")


def _duration(word: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", word)
    if not found:
        raise ArgumentTypeError(f"expected an age such as 90s, 15m, 2h or 3d; got {word}")
    return float(found[1]) * UNITS[found[2]]


def _rate(word: str) -> float:
    with suppress(ValueError):
        if 0 < (rate := float(word)) < float("inf"):
            return rate
    raise ArgumentTypeError(f"expected messages a second, more than 0; got {word}")


def _count(word: str) -> int:
    if not word.isdecimal() or int(word) == 0:
        raise ArgumentTypeError(f"expected a number of 1 or more; got {word}")
    return int(word)


def main(arguments: Namespace) -> int:
    """Do what is asked; return 0 when all of it is done, 1 when not, 64 when it makes no sense, 130 after Ctrl-C."""
    try:
        chosen = _chosen(arguments)
        return _Desk(DeadLetters.open(Clock()), arguments, chosen).run()
    except SettingsError as error:
        return terminal.complain("failed", str(error), Leaving.SETTINGS.value)
    except (ClientError, BotoCoreError) as error:
        return terminal.complain("failed", f"expected an answer of the queue; got {explained(error)}", 1)


def _chosen(arguments: Namespace) -> Filter:
    if arguments.action == "show":
        return Filter(ids=frozenset([arguments.id]))
    ids = getattr(arguments, "ids", [])
    if arguments.action != "list" and bool(ids) == arguments.all:
        got = "both" if ids else "neither"
        raise SettingsError([problem(arguments.action, "message ids, or --all", got, "name one of the two")])
    return Filter(frozenset(ids), arguments.reason, arguments.error, arguments.older_than, arguments.newer_than)


class _Desk:
    """One request, from its first receive to the last line on the screen."""

    def __init__(self, letters: DeadLetters, arguments: Namespace, chosen: Filter) -> None:
        self._letters, self._arguments, self._chosen = letters, arguments, chosen
        sends = arguments.action == "retry" and not arguments.dry_run
        self._reopening = Reopening(letters.url, os.environ.get("CONSUMER_DATABASE_URL", "") if sends else "")
        self._hand: Hand | None = None
        self._found: list[dict[str, Any]] = []

    def run(self) -> int:
        """Do it, and say what became of it, however it ended."""
        result = self._letters.result
        try:
            with self._reopening:
                self._act()
        except KeyboardInterrupt:
            result.stopped = result.stopped or self._interrupted()
            self._report()
            return INTERRUPTED
        except (ClientError, BotoCoreError) as error:
            result.stopped = f"the dead-letter queue does not answer: {explained(error)}"
        except LedgerError as error:
            result.stopped = str(error)
        self._report()
        return 0 if result.went_well else 1

    def _act(self) -> None:
        asked, letters = self._arguments, self._letters
        if asked.action == "retry" and not asked.dry_run and self._chosen.lets_all_through and self._moved():
            return
        with letters.hand() as self._hand:
            try:
                if asked.action in ("list", "show") or asked.dry_run:
                    self._look(self._hand)
                elif asked.action == "retry":
                    letters.retry(
                        self._hand, self._chosen, asked.rate,
                        before=lambda letter: self._reopening.one(letter.key), tell=terminal.progress,
                    )  # fmt: skip
                else:
                    letters.remove(self._hand, self._chosen, tell=terminal.progress)
            except KeyboardInterrupt:
                letters.interrupted(self._hand)
                raise

    def _moved(self) -> bool:
        self._reopening.all()
        try:
            return self._letters.move(self._arguments.rate, terminal.progress)
        except KeyboardInterrupt:
            self._letters.cancel()
            raise

    def _interrupted(self) -> str:
        asked = self._arguments
        said = "interrupted; nothing was moved"
        if asked.action in page.PAST and not asked.dry_run:
            last = ", the last one perhaps removed" if asked.action == "remove" else ""
            said = f"interrupted; what is not {page.PAST[asked.action]} is in the dead-letter queue{last}"
        if self._hand is not None and self._hand.receiving:
            said += f"; what the queue was just handing out is hidden there for {self._hand.seconds} s"
        return said

    def _look(self, hand: Hand) -> None:
        limit = getattr(self._arguments, "limit", None)
        letters = self._letters.standing if self._arguments.action in page.PAST else self._letters.look
        for letter in letters(hand, self._chosen):
            self._found.append(self._facts(letter))
            terminal.progress(len(self._found))
            if len(self._found) == limit:
                self._letters.result.notes.append(f"stopped after {limit}, as asked; there may be more")
                break

    def _facts(self, letter: Letter) -> dict[str, Any]:
        return letter.whole() if self._arguments.action == "show" else letter.public()

    def _report(self) -> None:
        asked, result = self._arguments, self._letters.result
        terminal.clear()
        if self._hand is not None and self._hand.left_hidden:
            result.notes.append(f"{self._hand.left_hidden} messages stay hidden for up to {self._hand.seconds} s")
        found = sorted(self._found, key=lambda one: (one["sent"], one["id"]))
        if asked.action == "show":
            page.show(found, as_json=asked.json)
        elif asked.action == "list" and asked.stats:
            page.stats(statistics(found), self._letters.now, as_json=asked.json)
        elif asked.action == "list" or asked.dry_run:
            page.listing(found, self._letters.now, as_json=asked.json, would=asked.action)
        else:
            page.done(result, asked.action, as_json=asked.json)
        page.remarks(result)

"""AWS's clients for the commands that change an account: real ones, or ones that only show what would be called."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, TypeAlias

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from consumer import streams
from consumer.desk import terminal
from consumer.errors import INTERRUPTED, ConsumerError, advised, problem
from consumer.process.stop import Leaving

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Mapping, Sequence

    Answers: TypeAlias = Mapping[str, Sequence[Any]]
    Clients: TypeAlias = Callable[[str], Any]

FAILED = 1
NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")  # CloudFormation has no other names for a stack
LONG = 200  # characters of an argument that are shown
REMEDIES = {
    NoRegionError: "set AWS_REGION",
    NoCredentialsError: "log in (`aws sso login`, `aws configure`) and set AWS_PROFILE, or AWS_ACCESS_KEY_ID",
}


class FailedError(ConsumerError):
    """The request was right, and a program that had to do a part of it has failed."""


def real(service: str) -> Any:  # noqa: ANN401 - boto3's own
    """Make a service's client; the region may come from AWS_REGION, which boto3 itself does not read."""
    session = boto3.Session()
    return session.client(service, region_name=session.region_name or os.environ.get("AWS_REGION"))  # type: ignore[call-overload]


class Shown:
    """Prints each call instead of making it. The command goes on with the answers that it is given here.

    So what is shown is what the command does: it is the same code. answers: by the calls' names, in order; the last one
    is given again and again.
    """

    def __init__(self, service: str, answers: Answers) -> None:
        self._service = service
        self._answers = {name: list(several) for name, several in answers.items()}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**arguments: object) -> Any:  # noqa: ANN401 - whatever the service answers
            print(f"{self._service}.{name}({', '.join(f'{key}={_short(value)}' for key, value in arguments.items())})")
            left = self._answers.get(name, [{}])
            return left.pop(0) if len(left) > 1 else left[0]

        return call


def shown(answers: Answers) -> Clients:
    """Give clients that only show what would be called; they need no account."""
    return lambda service: Shown(service, answers)


def run(command: str, work: Callable[[Namespace], int], arguments: Namespace) -> int:
    """Do a command's work; put what goes wrong into words, and into an exit code: 1, 64 for a wrong request."""
    try:
        _check_name(arguments.stack)
        return streams.written(f"scripts/{command}", lambda: work(arguments))
    except FailedError as error:
        return _told(command, str(error), FAILED)
    except ConsumerError as error:
        return _told(command, str(error), Leaving.SETTINGS.value)
    except (BotoCoreError, ClientError) as error:
        remedy = next((text for kind, text in REMEDIES.items() if isinstance(error, kind)), "")
        return _told(command, advised(str(error), remedy), FAILED)
    except KeyboardInterrupt:
        return _told(command, "interrupted; what AWS has begun goes on there", INTERRUPTED)


def _check_name(stack: str) -> None:
    if not NAME.fullmatch(stack):
        remedy = "name it as CloudFormation does: 128 at most, a letter first"
        raise ConsumerError(problem("the stack's name", "letters, digits and hyphens", repr(stack), remedy))


def _told(command: str, text: str, exit_code: int) -> int:
    terminal.say(f"scripts/{command}: {text}")
    return exit_code


def _short(value: object) -> str:
    """Give a value as Python writes it; of a long text its beginning."""
    if isinstance(value, str) and len(value) > LONG:
        return f"<{len(value.encode()):,} bytes: {value.lstrip().splitlines()[0]} ...>"
    return repr(value)

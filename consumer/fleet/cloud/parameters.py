"""The template's parameters: what was given, or the default, checked as CloudFormation checks it. Pure."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from consumer.errors import TemplateError, problem

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMES = ("OpenTime", "FreeTime", "Deadline", "CloseTime")  # in the order of a day
TIME = re.compile(r"\d\d:\d\d")
NUMBER = re.compile(r"\d+(\.\d+)?")
DAY = 1440  # minutes
SUCH = {  # what a person is told in place of a pattern
    "Handler": "module:function, such as myapp.handlers:fetch_report",
    "DatabaseUrlSecretArn": "the ARN of a secret that holds the URL, arn:aws:secretsmanager:...",
    "AlarmEmail": "an address such as you@example.com",
    **dict.fromkeys(TIMES, "a time such as 09:00"),
}


def values_of(declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, object]) -> dict[str, Any]:
    """Give each parameter's value: texts, as CloudFormation has them, and lists. Raises TemplateError.

    One without a default that is not given stands for itself, as `<VpcId>`: its value is not needed to plan.
    """
    for name in given:
        if name not in declared:
            near = get_close_matches(name, declared, n=1, cutoff=0.6)
            raise TemplateError(f"parameter {name}: unknown{f'; did you mean {near[0]}?' if near else ''}")
    return {name: _value(name, rules, given.get(name)) for name, rules in declared.items()}


def check_together(values: Mapping[str, Any]) -> None:
    """Refuse containers and times that contradict one another. Raises TemplateError.

    A template without one of them has other schedules, of which nothing is known here.
    """
    _check_containers(*(str(values.get(name)) for name in ("OpenContainers", "MaxContainers")))
    _check_seconds(*(str(values.get(name)) for name in ("TimeLimit", "ExpectedSeconds")))
    _check_times(values)


def _check_containers(opens: str, most: str) -> None:
    if opens.isdecimal() and most.isdecimal() and int(opens) > int(most):
        got = f"OpenContainers={opens} MaxContainers={most}"
        raise TemplateError(problem("containers", "OpenContainers of at most MaxContainers", got, "change one of them"))


def _check_seconds(limit: str, expected: str) -> None:
    if NUMBER.fullmatch(limit) and NUMBER.fullmatch(expected) and float(limit) < float(expected):
        got = f"TimeLimit={limit} ExpectedSeconds={expected}"
        remedy = (
            "let TimeLimit be more than the longest message takes: a run is ended after it, and dead-lettered at last"
        )
        raise TemplateError(problem("seconds of a message", "TimeLimit of at least ExpectedSeconds", got, remedy))


def _check_times(values: Mapping[str, Any]) -> None:
    if not all(TIME.fullmatch(str(values.get(name))) for name in TIMES):
        return
    opens, *later = (int(hours) * 60 + int(minutes) for hours, minutes in (values[one].split(":") for one in TIMES))
    free, deadline, close = ((one - opens) % DAY for one in later)
    if not 0 < free < deadline <= close:
        got = " ".join(f"{name}={values[name]}" for name in TIMES)
        remedy = (
            "the fleet is stopped at CloseTime, half an hour after the deadline at best: change what is out of order"
        )
        raise TemplateError(problem("the times", f"{', '.join(TIMES)} in this order, within a day", got, remedy))


def _value(name: str, rules: Mapping[str, Any], given: object) -> Any:  # noqa: ANN401 - a text, or a list of them
    if given is None and "Default" not in rules:
        return f"<{name}>"
    text = _written(rules["Default"] if given is None else given)
    if given is not None:
        _check(name, rules, text)
    is_list = rules["Type"].startswith(("List<", "CommaDelimitedList"))
    return [part.strip() for part in text.split(",")] if is_list else text


def _written(value: object) -> str:
    """Write a value as on CloudFormation's command line: 3.0 is 3, a list has commas."""
    if isinstance(value, list | tuple):
        return ",".join(map(_written, value))
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _check(name: str, rules: Mapping[str, Any], text: str) -> None:
    allowed = [str(value) for value in rules.get("AllowedValues", [])]
    if allowed and text not in allowed:
        raise _wrong(name, f"one of {', '.join(allowed)}", text)
    if rules["Type"] == "Number":
        number, low, high = _number(name, text), rules.get("MinValue"), rules.get("MaxValue")
        if not (low is None or low <= number) or not (high is None or number <= high):
            raise _wrong(name, f"a number from {low} to {high if high is not None else 'any'}", text)
    pattern = rules.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, text):
        raise _wrong(name, SUCH.get(name, f"a text of the form {pattern}"), text)


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise _wrong(name, "a number", text) from error


def _wrong(name: str, expected: str, got: str) -> TemplateError:
    got = re.sub("://.*", "://...", got)  # a database's URL, in place of its secret's ARN, has a password in it
    return TemplateError(problem(f"parameter {name}", expected, got, "see ecs/README.md"))

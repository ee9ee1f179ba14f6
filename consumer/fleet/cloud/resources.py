"""Reads `ecs/template.yaml` and values for its parameters into resources, with nothing left to work out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from consumer.errors import TemplateError
from consumer.fleet.cloud.intrinsics import Resolver, loaded
from consumer.fleet.cloud.parameters import values_of

NAME = "template.yaml"


def text_of(given: Path | None = None) -> str:
    """Read the given template, else the shipped one. Raises TemplateError."""
    here = Path(__file__).parent  # in a wheel it lies beside this file, in a checkout in ecs/
    places = [given] if given else [here / NAME, here.parents[2] / "ecs" / NAME]
    for place in places:
        if place.is_file():
            try:
                return place.read_text(encoding="utf-8")
            except (OSError, UnicodeError) as error:
                raise TemplateError(f"expected a template that can be read; got {place}: {error}") from error
    raise TemplateError(f"expected the fleet's template, found none at {' and '.join(map(str, places))}")


def declared(text: str) -> dict[str, Any]:
    """Give a template's parameters by their names, each with its rules. Raises TemplateError."""
    found: dict[str, Any] = _parts(text).get("Parameters", {})
    return found


def resolved(text: str, /, **parameters: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the values of a template's parameters, and its resources with nothing left to work out."""
    whole = _parts(text)
    values = values_of(declared(text), parameters)
    resolver = Resolver(whole, values)
    resources = {
        name: {**resource, "Properties": _named(name, resolver.of(resource.get("Properties", {})))}
        for name, resource in whole["Resources"].items()
        if "Condition" not in resource or resolver.holds(resource["Condition"])
    }
    return values, resources


class Part(dict[str, Any]):
    """An object of the template that knows where it stands, and says so of what it lacks."""

    where = ""

    def __missing__(self, key: str) -> NoReturn:
        """Say what is missing, and where."""
        raise TemplateError(f"the template: expected {key} in {self.where}; got none")


def _named(where: str, value: Any) -> Any:  # noqa: ANN401 - whatever the template holds
    if isinstance(value, list):
        return [_named(where, one) for one in value]
    if not isinstance(value, dict):
        return value
    part = Part({name: _named(f"{where}.{name}", inner) for name, inner in value.items()})
    part.where = where
    return part


def _parts(text: str) -> dict[str, Any]:
    whole = loaded(text)
    if not isinstance(whole, dict) or not isinstance(whole.get("Resources"), dict):
        raise TemplateError("the template has no Resources")
    return whole

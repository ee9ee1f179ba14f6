"""CloudFormation's intrinsic functions, worked out as far as they can be before anything is deployed. Pure.

CloudFormation user guide, "Intrinsic function reference". What only AWS knows stays symbolic: a reference to a resource
is its logical id, an attribute of it `Queue.QueueName`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from consumer.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PSEUDO = {
    "AWS::StackName": "consumer",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}
NOTHING = object()  # AWS::NoValue: what is around it is as if it had not been written
VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")


@lru_cache(maxsize=4)  # a template is read again for each choice of parameters; nobody changes what was read
def loaded(text: str) -> Any:  # noqa: ANN401 - what YAML holds
    """Read YAML with CloudFormation's short forms: `!Ref X` becomes {"Ref": "X"}. Raises TemplateError."""
    import yaml  # noqa: PLC0415 - the `plan` extra: whoever only consumes needs no YAML

    quickest: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a tenth of the time, where it is

    class Loader(quickest):  # type: ignore[misc, valid-type]
        """YAML with CloudFormation's tags."""

    def tagged(loader: Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
        name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
        if isinstance(node, yaml.ScalarNode):
            value: Any = loader.construct_scalar(node)
            return {name: value.split(".", 1) if suffix == "GetAtt" else value}
        if isinstance(node, yaml.SequenceNode):
            return {name: loader.construct_sequence(node, deep=True)}
        assert isinstance(node, yaml.MappingNode)
        return {name: loader.construct_mapping(node, deep=True)}

    Loader.add_multi_constructor("!", tagged)
    try:
        return yaml.load(text, Loader)  # noqa: S506 - a SafeLoader, with tags that only make dictionaries
    except yaml.YAMLError as error:
        raise TemplateError(f"the template is no YAML: {error}") from error


PLAIN: dict[str, Callable[..., Any]] = {  # those whose arguments are worked out first
    "Fn::Equals": lambda left, right: str(left) == str(right),
    "Fn::Not": lambda value: not value,
    "Fn::And": lambda *values: all(values),
    "Fn::Or": lambda *values: any(values),
    "Fn::Join": lambda between, values: between.join(map(str, values)),
    "Fn::Split": lambda between, text: text.split(between),
    "Fn::Select": lambda index, values: values[int(index)],
}


def _plain(name: str, given: Any) -> Any:  # noqa: ANN401
    try:
        return PLAIN[name](*given)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise TemplateError(f"{name} of {given!r} is not one that can be worked out here") from error


class Resolver:
    """One template with values for its parameters."""

    def __init__(self, template: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters
        self._conditions = template.get("Conditions", {})
        self._resources = template["Resources"]

    def of(self, node: Any) -> Any:  # noqa: ANN401 - any part of a template
        """Give a part of the template with nothing left to work out."""
        if isinstance(node, list):
            return [value for value in map(self.of, node) if value is not NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            name, given = next(iter(node.items()))
            if name in {"Ref", "Condition"} or name.startswith("Fn::"):
                return self._function(name, given)
        values = {name: self.of(value) for name, value in node.items()}
        return {name: value for name, value in values.items() if value is not NOTHING}

    def holds(self, name: str) -> bool:
        """Say whether a condition holds."""
        if name not in self._conditions:
            raise TemplateError(f"no condition is named {name}")
        return bool(self.of(self._conditions[name]))

    def _function(self, name: str, given: Any) -> Any:  # noqa: ANN401
        match name, given:
            case "Ref", str():
                result = self._ref(given)
            case "Condition", str():
                result = self.holds(given)
            case "Fn::GetAtt", [resource, *attribute]:
                result = ".".join([self._known(resource), *attribute])
            case "Fn::Sub", str() | [str(), dict()]:
                result = self._sub(given, {}) if isinstance(given, str) else self._sub(given[0], self.of(given[1]))
            case "Fn::If", [str() as condition, yes, no]:
                result = self.of(yes if self.holds(condition) else no)
            case _:
                result = _plain(name, self.of(given))
        return result

    def _known(self, resource: str) -> str:
        if resource not in self._resources:
            raise TemplateError(f"the template has no parameter and no resource {resource}")
        return resource

    def _ref(self, name: str) -> Any:  # noqa: ANN401
        if name == "AWS::NoValue":
            return NOTHING
        if name in self._parameters:
            return self._parameters[name]
        return PSEUDO[name] if name in PSEUDO else self._known(name)

    def _sub(self, text: str, own: Mapping[str, Any]) -> str:
        """Put values into a text: `${Name}`, `${Resource.Attribute}`; `${!Name}` stays `${Name}`."""

        def value(found: re.Match[str]) -> str:
            literal, name = found.groups()
            if literal:
                return f"${{{name}}}"
            if name in own:
                return str(own[name])
            resource, dot, _ = name.partition(".")
            return f"{self._known(resource)}{name[len(resource) :]}" if dot else str(self._ref(name))

        return VARIABLE.sub(value, text)

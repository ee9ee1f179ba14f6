"""CloudFormation, as far as a stack's tests need it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

TOKEN = "consumer-1700001000"  # the fake clock's time


class StandIn:
    """CloudFormation, which answers what it was given, in order, the last one again and again."""

    def __init__(self, **answers: Sequence[Any]) -> None:
        self.answers = {name: list(several) for name, several in answers.items()}
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            self.calls.append((name, arguments))
            left = self.answers.get(name, [{}])
            found = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(found, Exception):
                raise found
            return found

        return call

    def made(self, name: str) -> list[dict[str, Any]]:
        return [arguments for called, arguments in self.calls if called == name]


def described(status: str) -> dict[str, Any]:
    return {"Stacks": [{"StackStatus": status, "StackId": "arn:orders"}]}


def event(name: str, status: str, reason: str = "", token: str = TOKEN) -> dict[str, Any]:
    return {
        "LogicalResourceId": name, "ResourceType": "AWS::ECS::Service", "ResourceStatus": status,
        "ResourceStatusReason": reason, "ClientRequestToken": token,
    }  # fmt: skip


def proposed(status: str = "CREATE_COMPLETE", reason: str = "", **more: Any) -> dict[str, Any]:
    return {"Status": status, "StatusReason": reason, "Changes": [], **more}


def change(name: str) -> dict[str, Any]:
    return {
        "Type": "Resource",
        "ResourceChange": {"Action": "Modify", "LogicalResourceId": name, "ResourceType": "AWS::SQS::Queue"},
    }

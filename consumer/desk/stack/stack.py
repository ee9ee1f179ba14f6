"""One CloudFormation stack: what it is, a change to it that is first looked at, the wait, and why something failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from consumer.desk import terminal
from consumer.errors import ConsumerError, advised

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from consumer.clock import Clock

LOOK_EVERY = 5.0  # seconds
ABSENT = {"DELETE_COMPLETE", "REVIEW_IN_PROGRESS"}  # gone; made for a look at what it would become, and empty
NOTHING = ("didn't contain changes", "No updates are to be performed")
CANCELLED = ("Resource creation cancelled", "Resource update cancelled")  # because of another one, which says why
REMEDIES = {
    "while Tasks are active": "do it once more in two minutes: containers of the service were still ending",
    "has a dependent object": "another security group, a database's perhaps, names this one: remove that rule, repeat",
    "service linked role": "deploy again in a minute: the account's first service makes a role that takes a while",
    "not authorized to perform": "ask for this permission, or deploy as somebody who has it",
    "Circuit Breaker": "containers did not stay up: see their last lines in the log group, and the service's events",
    "AlreadyExists": "another stack, or somebody by hand, has made what has this name: give the stack another one",
    "already exists": "another stack, or somebody by hand, has made what has this name: give the stack another one",
}


@dataclass(frozen=True, slots=True)
class State:
    """What a stack is now. parameters and outputs: by their names."""

    status: str
    id: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def busy(self) -> bool:
        """Whether something is being done to it."""
        return self.status.endswith("_IN_PROGRESS")

    @property
    def deployed(self) -> bool:
        """Whether what was to be made or changed is so; a failed deployment comes to rest, too."""
        return self.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}


class Stack:
    """A stack by its name; by its id, which a deleted one keeps, as soon as that is known."""

    def __init__(self, client: Any, clock: Clock, name: str) -> None:  # noqa: ANN401 - boto3's own
        self.name = name
        self._client, self._clock = client, clock
        self._id = name
        self._token = f"consumer-{clock.time():.0f}"  # of what is done to it now: its events bear it
        self._change = ""

    def state(self) -> State | None:
        """Look at it; None where there is none, or none with anything in it."""
        state = self._look()
        if state is None or state.status in ABSENT:
            return None
        self._id = state.id or self.name
        return state

    def propose(self, template: str, parameters: list[dict[str, Any]], *, new: bool) -> list[dict[str, Any]] | None:
        """Have CloudFormation work out what would change; give that, resource by resource. Nothing changes yet.

        None is nothing at all; no resource changes where an output does.

        A first deployment that fails is removed as a whole, so that it can just be tried again.
        """
        made = self._client.create_change_set(
            StackName=self.name, ChangeSetName=self._token, ChangeSetType="CREATE" if new else "UPDATE",
            Capabilities=["CAPABILITY_IAM"], Parameters=parameters, TemplateBody=template,
            **({"OnStackFailure": "DELETE"} if new else {}),
        )  # fmt: skip
        self._id, self._change = made.get("StackId", self.name), made.get("Id", self._token)
        found = self._proposed()
        if found["Status"] == "FAILED":
            self.discard(new=new)
            if any(text in found.get("StatusReason", "") for text in NOTHING):
                return None
            raise ConsumerError(f"CloudFormation refuses this: {found.get('StatusReason')}")
        return [one["ResourceChange"] for one in self._all_changes(found) if "ResourceChange" in one]

    def discard(self, *, new: bool) -> None:
        """Forget what was proposed, and the empty stack that was made for it."""
        self._client.delete_change_set(ChangeSetName=self._change, StackName=self._id)
        if new:
            self._client.delete_stack(StackName=self._id)

    def execute(self) -> State:
        """Do what was proposed, and wait for its end."""
        self._client.execute_change_set(ChangeSetName=self._change, StackName=self._id, ClientRequestToken=self._token)
        return self._wait()

    def delete(self) -> State:
        """Delete it, and wait for its end."""
        self._client.delete_stack(StackName=self._id, ClientRequestToken=self._token)
        return self._wait()

    def failures(self) -> list[str]:
        """Say what failed in what was done last, the cause first, each with what to do about it where that is known."""
        failed = [
            one for one in self._events()
            if one["ResourceStatus"].endswith("_FAILED")
            and not one.get("ResourceStatusReason", "").startswith(CANCELLED)
        ]  # fmt: skip
        return [_told(one) for one in reversed(failed)]

    def _look(self) -> State | None:
        try:
            found = self._client.describe_stacks(StackName=self._id)["Stacks"]
        except ClientError as error:
            if is_absent(error):
                return None
            raise
        return _state(found[0]) if found else None

    def _wait(self) -> State:
        """Look until it comes to rest; a stack that is gone altogether has been deleted."""
        while (state := self._look()) and state.busy:
            terminal.progress(state.status.lower().replace("_", " "))
            self._clock.block(LOOK_EVERY)
        terminal.clear()
        return state or State("DELETE_COMPLETE")

    def _proposed(self) -> dict[str, Any]:
        while True:
            found: dict[str, Any] = self._client.describe_change_set(ChangeSetName=self._change, StackName=self._id)
            if found["Status"] not in {"CREATE_PENDING", "CREATE_IN_PROGRESS"}:
                return found
            self._clock.block(LOOK_EVERY)

    def _all_changes(self, found: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield from found.get("Changes", [])
        while token := found.get("NextToken"):
            found = self._client.describe_change_set(ChangeSetName=self._change, StackName=self._id, NextToken=token)
            yield from found.get("Changes", [])

    def _events(self) -> Iterator[dict[str, Any]]:
        """Give the events of what was done last, the newest first; older ones of a long-lived stack are not read."""
        more: dict[str, str] = {}
        begun = False
        while True:
            page = self._client.describe_stack_events(StackName=self._id, **more)
            for event in page["StackEvents"]:
                if event.get("ClientRequestToken") == self._token:
                    begun = True
                    yield event
                elif begun:
                    return
            if "NextToken" not in page:
                return
            more = {"NextToken": page["NextToken"]}


def is_absent(error: ClientError) -> bool:
    """Whether an error says that there is no such stack."""
    return "does not exist" in str(error)


def _state(stack: Mapping[str, Any]) -> State:
    return State(
        stack["StackStatus"],
        stack.get("StackId", ""),
        {one["ParameterKey"]: one.get("ParameterValue", "") for one in stack.get("Parameters", [])},
        {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])},
    )


def _told(event: Mapping[str, Any]) -> str:
    reason = event.get("ResourceStatusReason", "no reason is given")
    remedy = next((text for part, text in REMEDIES.items() if part in reason), "")
    return advised(f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}", remedy)

"""`scripts/deploy`: the fleet's template, checked, compared with what there is, and put in force."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from consumer.clock import Clock
from consumer.desk import terminal
from consumer.desk.stack import account, given
from consumer.desk.stack.stack import Stack, State, is_absent
from consumer.desk.table import table
from consumer.errors import ConsumerError, problem
from consumer.fleet.cloud import resources, template
from consumer.fleet.cloud.parameters import values_of

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Mapping, Sequence

NEW: account.Answers = {  # how CloudFormation would answer, were this the first deployment
    "describe_stacks": [{"Stacks": []}, {"Stacks": [{"StackStatus": "CREATE_COMPLETE"}]}],
    "describe_change_set": [{"Status": "CREATE_COMPLETE", "Changes": []}],
}
FEWEST_SUBNETS = 2
AFTERWARDS = {
    "DashboardUrl": "dashboard",
    "QueueUrl": "queue",
    "DeadLetterQueueUrl": "dead letters",
    "ClusterName": "cluster",
    "ServiceName": "service",
    "LogGroupName": "logs",
    "RepositoryUri": "repository",
}


def arguments(argv: Sequence[str] | None = None) -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(prog="scripts/deploy", description="Make the fleet, or change it to what is given.")
    add = parser.add_argument
    add("stack", help="its name, such as orders")
    add(
        "parameters",
        nargs="*",
        default=[],
        metavar="Name=Value",
        help="those that are not given stay as they are in the stack",
    )
    add("--file", action="append", default=[], type=Path, help="more of them, as `consumer plan` prints them")
    add("--template", type=Path, metavar="FILE", help="your own template (default: ecs/template.yaml)")
    add("--review", action="store_true", help="show what would change, and change nothing")
    add("--dry-run", action="store_true", help="check, and print the calls; without an account, of a first deployment")
    return parser.parse_intermixed_args(argv)


def deploy(asked: Namespace) -> int:
    """Deploy; return 0, or 1 when it failed."""
    text, given_now = resources.text_of(asked.template), wanted(asked)
    values_of(_declared(text), given_now)  # a slip is said before anybody is asked
    clients = account.shown(_seen(asked.stack)) if asked.dry_run else account.real
    stack = Stack(clients("cloudformation"), Clock(), asked.stack)
    state = stack.state()
    _check_state(asked.stack, state)
    kept = _kept(text, state)
    _check(text, kept | given_now)
    changes = stack.propose(text, _passed(given_now, kept.keys() - given_now.keys()), new=state is None)
    if asked.dry_run:
        stack.execute()
        return 0
    print(_differing(state, given_now) + _changes(changes))
    if asked.review:
        if changes is not None:
            stack.discard(new=state is None)
        return 0
    after = state if state and changes is None else stack.execute()
    if changes is not None and not after.deployed:
        return _failed(stack, after, new=state is None)
    print(_afterwards(asked.stack, after))
    return 0


def _seen(name: str) -> account.Answers:
    """Look whether there is a stack, and so how CloudFormation would answer; as to a first one where nobody knows."""
    try:
        found = account.real("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        if not (isinstance(error, ClientError) and is_absent(error)):
            why = str(error).rstrip(".")
            terminal.say(f"Whether there is a stack {name} is not known: {why}. So this is what a first one takes.")
        found = []
    return {**NEW, "describe_stacks": [{"Stacks": found}, *NEW["describe_stacks"][1:]]}


def wanted(asked: Namespace) -> dict[str, str]:
    """Give the parameters that were asked for: the command line wins."""
    found: dict[str, str] = {}
    for path in asked.file:
        found |= given.of_file(path)
    return found | given.of_words(asked.parameters)


def _declared(text: str) -> dict[str, Any]:
    try:
        return resources.declared(text)
    except ModuleNotFoundError as error:
        remedy = "scripts/install plan"
        raise ConsumerError(
            problem("the template", "the extra `plan`, to read it", f"no {error.name}", remedy)
        ) from error


def _check_state(name: str, state: State | None) -> None:
    """Refuse a stack that CloudFormation would not change, and say what helps. Raises ConsumerError."""
    status = state.status if state else ""
    if status.endswith("_IN_PROGRESS"):
        remedy = "wait for its end"
    elif status.startswith(("ROLLBACK", "DELETE")) or status == "CREATE_FAILED":
        remedy = f"scripts/teardown {name}"
    elif status == "UPDATE_ROLLBACK_FAILED":
        remedy = f"aws cloudformation continue-update-rollback --stack-name {name}"
    else:
        return
    raise ConsumerError(problem(name, "a stack that can be changed", status, f"{remedy}, then deploy again"))


def _kept(text: str, state: State | None) -> dict[str, str]:
    """Give the stack's own parameters, but for those that the template no longer has."""
    declared = _declared(text)
    return {name: value for name, value in (state.parameters if state else {}).items() if name in declared}


def _check(text: str, parameters: Mapping[str, str]) -> None:
    """Refuse what CloudFormation, or Fargate minutes later, would refuse. Raises ConsumerError."""
    template.read(text, **parameters)
    if "Subnets" in parameters and len({*map(str.strip, parameters["Subnets"].split(","))} - {""}) < FEWEST_SUBNETS:
        remedy = "name another one beside it, in another availability zone: a zone may fail, or have no room"
        raise ConsumerError(problem("parameter Subnets", "two or more, with commas", parameters["Subnets"], remedy))
    missing = [name for name, rules in _declared(text).items() if "Default" not in rules and name not in parameters]
    if missing:
        remedy = "give each as Name=Value"
        raise ConsumerError(problem("a first deployment", "parameters " + ", ".join(missing), "none of them", remedy))


def _passed(wanted: Mapping[str, str], kept: Iterable[str]) -> list[dict[str, Any]]:
    """Give CloudFormation's parameters: what is asked for, and what is to stay as it is."""
    return [
        *({"ParameterKey": name, "ParameterValue": value} for name, value in wanted.items()),
        *({"ParameterKey": name, "UsePreviousValue": True} for name in sorted(kept)),
    ]


def _differing(state: State | None, given_now: Mapping[str, str]) -> str:
    """Lay what is asked for beside what there is: resources alone do not show that a plan is another queue's."""
    before = state.parameters if state else given_now
    rows = [(name, before.get(name, ""), value) for name, value in given_now.items() if before.get(name) != value]
    return table(("parameter", "was", "will be"), rows) + "\n\n" if rows else ""


def _changes(changes: list[dict[str, Any]] | None) -> str:
    if not changes:
        return "Nothing changes." if changes is None else "No resource changes."
    rows = [
        (one["Action"], one["LogicalResourceId"], one["ResourceType"], one.get("Replacement", "").replace("False", ""))
        for one in changes
    ]
    return table(("change", "what", "kind", "by another"), rows)


def _failed(stack: Stack, after: State, *, new: bool) -> int:
    terminal.say(f"{stack.name} failed: {after.status}. Why, the cause first:")
    for line in stack.failures():
        terminal.say(line)
    terminal.say("All that was made is removed again." if new else "What there was before is in force again.")
    return account.FAILED


def _afterwards(name: str, state: State) -> str:
    lines = [f"{name} is deployed. What to look at:"]
    lines += [f"  {title:12}  {state.outputs[key]}" for key, title in AFTERWARDS.items() if key in state.outputs]
    if not state.parameters.get("Image"):
        lines.append(f"No container starts without an image. Next: scripts/push-image {name} FOLDER, which says how.")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(account.run("deploy", deploy, arguments()))

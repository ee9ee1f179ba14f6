"""`scripts/teardown`: the fleet is deleted, once its queues are empty; the queues themselves are kept."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from consumer.clock import Clock
from consumer.desk import terminal
from consumer.desk.stack import account
from consumer.desk.stack.stack import Stack, State
from consumer.message.trouble import code

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
QUEUES = {"QueueUrl": "queue", "DeadLetterQueueUrl": "dead-letter queue"}
THERE: account.Answers = {  # how AWS would answer, were the queues empty
    "describe_stacks": [
        {"Stacks": [{"StackStatus": "CREATE_COMPLETE", "StackId": "<the stack's id>", "Outputs": [
            {"OutputKey": key, "OutputValue": f"<{key}>"} for key in QUEUES
        ]}]},
        {"Stacks": []},
    ],
    "get_queue_attributes": [{"Attributes": {}}],
}  # fmt: skip


def arguments(argv: Sequence[str] | None = None) -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(prog="scripts/teardown", description="Delete the fleet, and keep its queues.")
    parser.add_argument("stack", help="its name, such as orders")
    parser.add_argument("--with-messages", action="store_true", help="even while messages are in one of its queues")
    parser.add_argument("--dry-run", action="store_true", help="print the calls and make none; needs no account")
    return parser.parse_intermixed_args(argv)


def teardown(asked: Namespace) -> int:
    """Delete; return 0, also when there is nothing, or 1 when messages are in the way, or when it failed."""
    clients = account.shown(THERE) if asked.dry_run else account.real
    stack = Stack(clients("cloudformation"), Clock(), asked.stack)
    state = stack.state()
    if state is None:
        print(f"There is no stack {asked.stack}.")
        return 0
    urls = {title: state.outputs[key] for key, title in QUEUES.items() if key in state.outputs}
    if not asked.with_messages and (full := _full(clients("sqs"), urls)):
        for line in full:
            terminal.say(line)
        remedy = "wait until they are done, move them (`consumer failed`), or say --with-messages: both queues are kept"
        terminal.say(f"Nothing is deleted. To do: {remedy}.")
        return account.FAILED
    after = stack.delete()
    if asked.dry_run:
        return 0
    if after.status != "DELETE_COMPLETE":
        return _failed(stack, after)
    print(_afterwards(asked.stack, urls))
    return 0


def _full(sqs: Any, urls: dict[str, str]) -> list[str]:  # noqa: ANN401 - boto3's own
    """Say which queues have messages, in hand and delayed ones among them. One that is gone has none."""
    found = []
    for title, url in urls.items():
        try:
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(COUNTS)).get("Attributes", {})
        except ClientError as error:
            if "NonExistentQueue" not in code(error) and "QueueDoesNotExist" not in code(error):
                raise
            continue
        if messages := sum(int(attributes.get(name, 0)) for name in COUNTS):
            found.append(f"The {title} has {messages:,} messages: {url}")
    return found


def _failed(stack: Stack, after: State) -> int:
    terminal.say(f"{stack.name} is not deleted: {after.status}. Why, the cause first:")
    for line in stack.failures():
        terminal.say(line)
    return account.FAILED


def _afterwards(name: str, urls: dict[str, str]) -> str:
    lines = [f"{name} is deleted: service, images, logs, alarms, dashboard."]
    if urls:
        lines.append("Kept, and to be deleted by hand once nobody sends there any more:")
        lines += [f"  {title:17}  {url}" for title, url in urls.items()]
        lines.append("A new deployment makes new queues; ecs/README.md says how it takes over these.")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(account.run("teardown", teardown, arguments()))

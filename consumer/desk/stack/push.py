"""`scripts/push-image`: a handler's image, built for the stack's processor, pushed under a tag that is used once."""

from __future__ import annotations

import base64
import os
import platform
import shlex
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from consumer.clock import Clock
from consumer.desk.stack import account
from consumer.desk.stack.stack import Stack, State
from consumer.errors import ConsumerError, problem
from consumer.message.trouble import code

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping, Sequence

SCRIPTS = Path(__file__).parents[3] / "scripts"
PLATFORMS = {"ARM64": "linux/arm64", "X86_64": "linux/amd64"}
MACHINES = {"linux/arm64": {"aarch64", "arm64"}, "linux/amd64": {"x86_64", "amd64"}}
EMULATOR = "docker run --privileged --rm tonistiigi/binfmt --install all"
ANSWERS: account.Answers = {  # how AWS would answer for a stack with the defaults
    "describe_stacks": [{"Stacks": [{"StackStatus": "CREATE_COMPLETE", "Outputs": [
        {"OutputKey": "RepositoryUri", "OutputValue": "ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY"}
    ]}]}],
    "describe_images": [{"imageDetails": []}],
    "get_authorization_token": [{"authorizationData": [{"authorizationToken": base64.b64encode(b"AWS:-").decode()}]}],
}  # fmt: skip


class Shell:
    """Runs programs, or only prints their command lines; what they print goes to stderr, but for what is asked for."""

    def __init__(self, *, dry: bool) -> None:
        self.dry = dry

    def __call__(self, *words: str | Path, told: str | None = None, **variables: str) -> None:
        """Run one. told: its stdin. variables: of its environment. Raises FailedError when it fails."""
        line = [*(f"{name}={value}" for name, value in variables.items()), shlex.join(map(str, words))]
        if self.dry:
            print(" ".join(line))
            return
        done = subprocess.run(  # noqa: S603 - words of ours, without a shell
            [*map(str, words)], input=told, text=True, check=False, stdout=sys.stderr, env={**os.environ, **variables}
        )
        if done.returncode:
            raise account.FailedError(f"this failed with {done.returncode}: {' '.join(line)}")

    def answer(self, *words: str | Path, instead: str) -> str:
        """Run one that only answers; give its answer, or `instead` when it is only printed."""
        if self.dry:
            self(*words)
            return instead
        done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)  # noqa: S603 - as above
        if done.returncode:
            raise account.FailedError(f"this failed: {shlex.join(map(str, words))}: {done.stderr.strip()}")
        return done.stdout.strip()


def arguments(argv: Sequence[str] | None = None) -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(prog="scripts/push-image", description="Build a handler's image and push it.")
    add = parser.add_argument
    add("stack", help="its name, such as orders")
    add("folder", type=Path, help="what the image is built of; it holds a Dockerfile like that of examples/")
    add("--file", type=Path, help="the Dockerfile (default: the one in the folder)")
    add("--base", metavar="IMAGE", help="build on this image of the consumer, not on one of this checkout")
    add("--dry-run", action="store_true", help="print the commands and calls, and run none; needs no account")
    return parser.parse_intermixed_args(argv)


def push(asked: Namespace) -> int:
    """Build and push; print the parameter that deploys it, alone on stdout."""
    _check_folder(asked)
    clients, shell = account.shown(ANSWERS) if asked.dry_run else account.real, Shell(dry=asked.dry_run)
    state = Stack(clients("cloudformation"), Clock(), asked.stack).state()
    if state is None or "RepositoryUri" not in state.outputs:
        remedy = f"scripts/deploy {asked.stack} first: it makes the repository"
        raise ConsumerError(problem(asked.stack, "a stack that is deployed", "none", remedy))
    uri = state.outputs["RepositoryUri"]
    docker = shell.answer(SCRIPTS / "docker", instead="docker")
    local = _built(asked, shell, docker, _platform(state))
    tag = _tag(asked.folder, shell, docker, local)
    ecr = clients("ecr")
    if not _is_there(ecr, uri, tag):
        _log_in(ecr, shell, docker, uri)
        shell(docker, "tag", local, f"{uri}:{tag}")
        shell(docker, "push", f"{uri}:{tag}")
    if not asked.dry_run:
        print(f"Image={uri}:{tag}")
    return 0


def _check_folder(asked: Namespace) -> None:
    file = asked.file or asked.folder / "Dockerfile"
    if not (asked.folder.is_dir() and file.is_file()):
        remedy = "name your handler's folder; examples/ is one"
        raise ConsumerError(problem(str(asked.folder), "a folder with a Dockerfile", f"none, or no {file}", remedy))


def _platform(state: State) -> str:
    found = PLATFORMS[state.parameters.get("Architecture", "ARM64")]
    if platform.machine().lower() not in MACHINES[found]:
        print(f"Built for {found}, which is not this machine's: docker emulates it (once: {EMULATOR})", file=sys.stderr)
    return found


def _built(asked: Namespace, shell: Shell, docker: str, wanted: str) -> str:
    """Build the consumer's image and the handler's on it; give the latter's name here."""
    base = asked.base
    if base is None:
        base = f"consumer:{wanted.rpartition('/')[2]}"
        shell(SCRIPTS / "image", base, PLATFORM=wanted)
    local = f"consumer-{asked.stack.lower()}"
    shell(
        docker, "build", "--platform", wanted, "--build-arg", f"CONSUMER_IMAGE={base}", "--tag", local,
        "--file", asked.file or asked.folder / "Dockerfile", asked.folder,
        DOCKER_BUILDKIT="1",
        BUILDX_NO_DEFAULT_ATTESTATIONS="1",  # they bear the time, and would give the same image another id each time
    )  # fmt: skip
    return local


def _tag(folder: Path, shell: Shell, docker: str, local: str) -> str:
    """Name the image by its source's revision, for people, and by its content: a tag can never mean two images.

    The revision alone would: what the image is built on, or what is not committed, may have changed.
    """
    try:
        revision = shell.answer(
            "git", "-C", folder, "describe", "--always", "--dirty", "--exclude", "*", "--abbrev=12", instead="REVISION"
        )
    except (account.FailedError, FileNotFoundError):  # no repository, or no git: the content alone
        revision = ""
    content = shell.answer(docker, "image", "inspect", "--format", "{{.Id}}", local, instead="sha256:CONTENT")
    return "-".join(part for part in (revision, content.removeprefix("sha256:")[:12]) if part)


def _is_there(ecr: Any, uri: str, tag: str) -> bool:  # noqa: ANN401 - boto3's own
    registry, _, name = uri.partition("/")
    where = {"registryId": registry.partition(".")[0], "repositoryName": name}
    try:
        return bool(ecr.describe_images(**where, imageIds=[{"imageTag": tag}])["imageDetails"])
    except ClientError as error:
        if code(error) != "ImageNotFoundException":
            raise
        return False


def _log_in(ecr: Any, shell: Shell, docker: str, uri: str) -> None:  # noqa: ANN401 - boto3's own
    """Let docker push there; the password goes through a pipe, and is worth nothing after twelve hours."""
    data: Mapping[str, str] = ecr.get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    shell(docker, "login", "--username", user, "--password-stdin", uri.partition("/")[0], told=password)


if __name__ == "__main__":
    raise SystemExit(account.run("push-image", push, arguments()))

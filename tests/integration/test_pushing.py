"""scripts/push-image with a docker of ours in the path, and a registry of moto's; every script without an account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from consumer.desk.stack import account, push
from consumer.desk.stack.stack import Stack, State
from support.aws import client, empty_account

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
CONTENT = "0123456789abcdef"
DOCKER = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["CALLS"], "a") as calls:
    told = sys.stdin.read() if "--password-stdin" in sys.argv else ""
    print(json.dumps([sys.argv[1:], told]), file=calls)
if sys.argv[1] == os.environ.get("FAILS") and sys.argv[-1] != "-":  # scripts/docker asks for a build of stdin
    sys.exit("no space left on device")
if sys.argv[1:3] == ["image", "inspect"]:
    print("sha256:{CONTENT}")
elif sys.argv[1] == "version":
    print("28.0")
"""


class Docker:
    """The program `docker`, which notes how it was called."""

    def __init__(self, folder: Path) -> None:
        self._calls = folder / "calls"
        program = folder / "docker"
        program.write_text(DOCKER)
        program.chmod(0o755)

    @property
    def calls(self) -> list[tuple[list[str], str]]:
        """What it was called with, and told, but for what scripts/docker asks."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        every = [(words, told) for words, told in map(json.loads, lines)]
        return [one for one in every if one[0][0] != "version" and one[0][-1] != "-"]

    def called(self, name: str) -> list[list[str]]:
        return [words for words, _ in self.calls if words[0] == name]


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    """Ours, whatever engine the machine has and names in its environment."""
    for name in [name for name in os.environ if name.startswith(("DOCKER_", "BUILDX_", "BUILDKIT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return Docker(tmp_path)


@pytest.fixture
def uri(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The registry's URI; the stack that has it is for the X86_64."""
    with empty_account(monkeypatch):
        made = client("ecr").create_repository(repositoryName="orders", imageTagMutability="IMMUTABLE")
        found = str(made["repository"]["repositoryUri"])
        state = State("CREATE_COMPLETE", "arn", {"Architecture": "X86_64"}, {"RepositoryUri": found})
        monkeypatch.setattr(Stack, "state", lambda _self: state)
        yield found


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A handler's folder, committed by nobody whom the machine knows."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "Dockerfile").write_text("ARG CONSUMER_IMAGE\nFROM ${CONSUMER_IMAGE}\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "--message", "x")
    return folder


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True, text=True).stdout.strip()


def run(source: Path, *words: str) -> int:
    return account.run("push-image", push.push, push.arguments(["orders", str(source), "--base", "consumer:1", *words]))


def said(capfd: pytest.CaptureFixture[str]) -> str:
    return capfd.readouterr().out.strip()


def test_it_builds_for_the_stacks_processor_logs_in_pushes_and_prints_nothing_but_the_parameter(
    docker: Docker, uri: str, source: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(source) == 0
    image = f"{uri}:{git(source, 'rev-parse', '--short=12', 'HEAD')}-{CONTENT[:12]}"
    assert said(capfd) == f"Image={image}"
    (build,) = docker.called("build")
    assert build[build.index("--platform") + 1] == "linux/amd64"
    assert "CONSUMER_IMAGE=consumer:1" in build
    assert build[-1] == str(source)
    (login,) = [one for one in docker.calls if one[0][0] == "login"]
    assert login[0][-1] == uri.partition("/")[0]
    assert login[1]
    assert login[1] not in " ".join(login[0])  # anybody on the machine may read a command line
    assert docker.called("push") == [["push", image]]


def test_what_is_not_committed_makes_another_tag(
    docker: Docker, uri: str, source: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (source / "Dockerfile").write_text("FROM scratch\n")
    assert run(source) == 0
    assert f"-dirty-{CONTENT[:12]}" in said(capfd)
    assert docker.called("push")[0][1].startswith(uri)


def test_an_image_that_is_there_already_is_not_pushed_again(
    docker: Docker, uri: str, source: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def put(**image: str) -> None:
        kind = "application/vnd.oci.image.manifest.v1+json"
        manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "layers": [], "config": {"digest": "sha256:0"}})
        client("ecr").put_image(repositoryName="orders", imageManifest=manifest, **image)

    monkeypatch.setattr(push, "_tag", lambda *_: "v1")
    put(imageTag="v1")
    assert run(source) == 0
    assert said(capfd) == f"Image={uri}:v1"
    assert not docker.called("push")
    assert not docker.called("login")


def test_of_several_dockers_that_can_build_the_first_in_the_path_is_taken(
    docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not docker.calls
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Docker(tmp_path / name)
    monkeypatch.setenv("PATH", f"{tmp_path}/b:{tmp_path}/a:{tmp_path}/b:{os.environ['PATH']}")
    found = subprocess.run([ROOT / "scripts" / "docker"], check=True, capture_output=True, text=True).stdout
    assert found == f"{tmp_path}/b/docker\n"


@pytest.mark.parametrize("step", ["build", "login", "push"])
def test_a_step_that_fails_ends_it_and_prints_no_parameter(
    docker: Docker,
    uri: str,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    step: str,
) -> None:
    monkeypatch.setenv("FAILS", step)
    assert run(source) == 1
    printed = capfd.readouterr()
    assert printed.out == ""
    assert f"docker {step}" in printed.err
    assert docker.calls[-1][0][0] == step
    assert uri


def test_a_stack_that_is_not_there_is_said_with_what_to_do(
    docker: Docker, uri: str, source: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert uri
    monkeypatch.setattr(Stack, "state", lambda _self: None)
    assert run(source) == 64
    assert "scripts/deploy orders first" in capfd.readouterr().err
    assert not docker.calls


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_a_folder_that_is_none_of_a_handler_is_refused_before_anything_is_done(
    docker: Docker, tmp_path: Path, capfd: pytest.CaptureFixture[str], folder: str
) -> None:
    assert run(tmp_path / folder, "--dry-run") == 64
    printed = capfd.readouterr()
    assert "expected a folder with a Dockerfile" in printed.err
    assert not printed.out
    assert not docker.calls


DRY: dict[str, tuple[list[str], list[str]]] = {
    "deploy": (
        ["Handler=a:b", "VpcId=vpc-1", "Subnets=subnet-1,subnet-2", "TimeZone=Asia/Tokyo"],
        ["describe_stacks", "create_change_set", "describe_change_set", "execute_change_set", "describe_stacks"],
    ),
    "teardown": (
        [],
        ["describe_stacks", "get_queue_attributes", "get_queue_attributes", "delete_stack", "describe_stacks"],
    ),
    "push-image": (
        ["examples"],
        ["describe_stacks", "scripts/docker", "scripts/image", "docker build", "git", "docker image", "describe_images",
         "get_authorization_token", "docker login", "docker tag", "docker push"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("script", DRY)
def test_a_dry_run_prints_every_call_in_order_and_needs_no_account_no_network_and_no_docker(
    script: str, tmp_path: Path
) -> None:
    words, calls = DRY[script]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [ROOT / "scripts" / script, "orders", *words, "--dry-run"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(calls)
    assert all(call in line for call, line in zip(calls, lines, strict=True))


@pytest.mark.parametrize("script", [path.name for path in sorted((ROOT / "scripts").iterdir())])
def test_a_script_is_one_that_its_shell_can_read(script: str) -> None:
    path = ROOT / "scripts" / script
    shell = path.read_text().splitlines()[0].split("/")[-1].split()[-1]
    done: Any = subprocess.run([shell, "-n", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")

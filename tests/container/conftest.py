from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from container.engine import ROOT, TMPFS, Engine
from support.programs import QUICK
from support.required import absent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from container.engine import Container
    from support.queues import Queues

IMAGE, EXAMPLE = "consumer:test", "consumer-orders:test"


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine that answers; without one the tests are skipped, unless one was installed for them."""
    found = subprocess.run([ROOT / "scripts" / "docker"], capture_output=True, text=True, check=False)
    if found.returncode:
        absent("CONTAINER", found.stderr.strip() or "no container engine")
    return Engine(found.stdout.strip())


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """The image of this checkout, built once for all tests."""
    engine.build(IMAGE)
    return IMAGE


@pytest.fixture(scope="session")
def example(engine: Engine, image: str) -> str:
    """The image that examples/Dockerfile makes of it."""
    engine("build", "--build-arg", f"CONSUMER_IMAGE={image}", "--tag", EXAMPLE, str(ROOT / "examples"))
    return EXAMPLE


@pytest.fixture
def start(engine: Engine, image: str, queues: Queues) -> Iterator[Callable[..., Container]]:
    """Starts containers that drain this test's queue, and removes them in the end."""
    started: list[Container] = []

    def run(*command: str, image: str = image, options: tuple[str, ...] = TMPFS, **env: str) -> Container:
        every = {**QUICK, "CONSUMER_QUEUE_URL": queues.url, "CONSUMER_HANDLER": "handlers:work", **env}
        started.append(engine.run(image, *command, options=options, **every))
        return started[-1]

    yield run
    for container in started:
        container.remove()

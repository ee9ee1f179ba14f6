"""LocalStack's SQS, in an interpreter of its own: `scripts/localstack` makes it."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError

from consumer.local.server import HOST, direct, environment, free_port, variables
from consumer.message import client
from support.programs import wait_until
from support.required import absent

if TYPE_CHECKING:
    from collections.abc import Iterator

PYTHON = Path(__file__).parents[2] / ".localstack" / "bin" / "python"
FIRST_START = 60.0  # seconds; it takes 4, and 15 where it has never been imported on a busy machine


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run LocalStack while the block runs; give its URL."""
    if not PYTHON.exists():
        absent("LOCALSTACK", "LocalStack is not installed (scripts/localstack installs it)")
    port = free_port()
    options = {
        "GATEWAY_SERVER": "hypercorn",  # its default one listens on every address, whatever GATEWAY_LISTEN says
        "GATEWAY_LISTEN": f"{HOST}:{port}",
        "LOCALSTACK_HOST": f"{HOST}:{port}",
        "SERVICES": "sqs",
        "EAGER_SERVICE_LOADING": "1",
        "SQS_ENDPOINT_STRATEGY": "path",
        "FILESYSTEM_ROOT": str(folder / "root"),
        "DISABLE_EVENTS": "1",  # nothing is reported to anybody
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
        "LS_LOG": "warn",
    }
    log = folder / "localstack.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [PYTHON, "-m", "localstack.runtime.main"],
            env={"PATH": os.environ["PATH"], "HOME": str(PYTHON.parents[1]), **options},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    url = f"http://{HOST}:{port}"
    try:
        wait_until(lambda: process.poll() is not None or _answers(url), f"LocalStack answers on {url}", FIRST_START)
        assert process.poll() is None, log.read_text(errors="replace")
        yield url
    finally:
        process.kill()  # told to end, this server never does; it keeps everything in memory
        process.wait()


def _answers(url: str) -> bool:
    """Tell whether queue calls are answered: its port is open before there is a server behind it."""
    with environment(variables(url) | direct()):
        sqs = client.once("")
    try:
        sqs.list_queues(MaxResults=1)
    except BotoCoreError:
        return False
    return True

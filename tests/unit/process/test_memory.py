from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from consumer.process import cgroup, memory
from unit.doubles import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Metadata:
    """The ECS task metadata endpoint, as far as it is asked; `pages` holds what it answers by path."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        pages = self.pages

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = pages.get(self.path)
                self.send_response(404 if page is None else 200)
                self.end_headers()
                self.wfile.write(page or b"")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Answer)
        self.uri = f"http://127.0.0.1:{self.server.server_port}/v4/abc"

    def says(self, path: str, answer: Any) -> None:
        self.pages["/v4/abc" + path] = answer if isinstance(answer, bytes) else json.dumps(answer).encode()


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[Metadata]:
    made = Metadata()
    thread = threading.Thread(target=lambda: made.server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    monkeypatch.setenv("ECS_CONTAINER_METADATA_URI_V4", made.uri)
    monkeypatch.setattr(cgroup, "limit", lambda: 2048.0)
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def test_a_setting_wins_over_what_is_found(metadata: Metadata) -> None:
    metadata.says("/task", {"Limits": {"Memory": 512}})
    assert memory.budget(settings(container_memory=300)) == 300


def test_the_container_s_own_limit_comes_before_the_task_s(metadata: Metadata) -> None:
    metadata.says("/task", {"Limits": {"CPU": 0.25, "Memory": 512}})
    metadata.says("", {"Limits": {"CPU": 2}})
    assert memory.budget(settings()) == 512
    metadata.says("", {"Limits": {"CPU": 2, "Memory": 400}})
    assert memory.budget(settings()) == 400


@pytest.mark.parametrize(
    "answer", [{}, {"Limits": None}, {"Limits": {}}, {"Limits": {"Memory": 0}}, [], None, b"<html>", b""]
)
def test_an_endpoint_that_says_nothing_of_use_leaves_the_cgroup(metadata: Metadata, answer: Any) -> None:
    metadata.says("", answer)
    assert memory.budget(settings()) == 2048


def test_no_endpoint_leaves_the_cgroup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "limit", lambda: 2048.0)
    for uri in ("http://127.0.0.1:1/v4", "file:///etc/passwd", ""):
        monkeypatch.setenv("ECS_CONTAINER_METADATA_URI_V4", uri)
        assert memory.budget(settings()) == 2048


def test_the_endpoint_is_asked_directly_even_where_a_proxy_is_set(
    metadata: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    metadata.says("", {"Limits": {"Memory": 400}})
    assert memory.budget(settings()) == 400


@pytest.mark.parametrize(
    ("files", "mib"),
    [
        ({"memory.max": "536870912\n"}, 512),
        ({"memory.max": "max\n"}, 0),
        ({"memory/memory.limit_in_bytes": "268435456\n"}, 256),
        ({"memory/memory.limit_in_bytes": "9223372036854771712\n"}, 0),
        ({"memory.max": "max\n", "memory/memory.limit_in_bytes": "268435456\n"}, 256),
        ({}, 0),
    ],
)
def test_the_cgroup_of_either_version_is_read_and_no_limit_is_none(
    tmp_path: Path, files: dict[str, str], mib: float
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cgroup.limit(tmp_path) == mib


def test_a_process_s_memory_is_read_in_mib_and_its_private_part_is_the_least() -> None:
    found = memory.measure()
    assert found
    assert 1 < found.uss <= found.pss <= found.rss < 10_000


def test_a_process_that_is_gone_has_no_memory() -> None:
    assert memory.measure(2**22 + 1) is None


def test_trimming_is_harmless() -> None:
    memory.trim()

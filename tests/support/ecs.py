"""An ECS agent beside a container, and the ECS API: they answer, or refuse, throttle, hang and lie when told to."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

STATE = "/task-protection/v1/state"
ARN = "arn:aws:ecs:eu-west-1:123456789012:task/fleet/0a1b2c"


class FakeEcs(ThreadingHTTPServer):
    """Answers as the real ones do; `lie`, where it is set, is the status and body that protection is answered with.

    answers: cleared, whatever is asked hangs, as long as that is so. drips: "header" or "body" comes a byte at a time,
    each tenth of a second, as long as that is so.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.asked: list[dict[str, Any]] = []  # of protection
        self.lie: tuple[int, Any] | None = None
        self.minutes = 0  # of protection that is in force
        self.answers = threading.Event()
        self.answers.set()
        self.drips = ""
        self.task: Any = {
            "Cluster": "arn:aws:ecs:eu-west-1:123456789012:cluster/fleet", "ServiceName": "drain", "TaskARN": ARN,
            "Family": "consumer", "Revision": "7", "DesiredStatus": "RUNNING", "KnownStatus": "RUNNING",
            "Limits": {"CPU": 1, "Memory": 2048},
        }  # fmt: skip
        self.group: Any = "service:drain"
        self.called: list[str] = []  # of the API
        self.service: Any = {"serviceName": "drain", "desiredCount": 3, "deployments": [self.deployment(7)]}
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def deployment(self, revision: int, status: str = "PRIMARY") -> dict[str, Any]:
        arn = f"arn:aws:ecs:eu-west-1:123456789012:task-definition/consumer:{revision}"
        return {"id": f"ecs-svc/{revision}", "status": status, "taskDefinition": arn, "desiredCount": 3}

    @property
    def env(self) -> dict[str, str]:
        """What ECS puts into a container's environment, and what leads the API's client here."""
        return {
            "ECS_AGENT_URI": self.url,
            "ECS_CONTAINER_METADATA_URI_V4": f"{self.url}/v4",
            "AWS_ENDPOINT_URL_ECS": self.url,
        }

    def refuse(self, reason: str) -> None:
        self.lie = (200, {"failure": {"Arn": ARN, "Detail": None, "Reason": reason}})

    def throttle(self, status: int = 400) -> None:
        error = {"Arn": ARN, "Code": "ThrottlingException", "Message": "Rate exceeded"}
        self.lie = (status, {"requestID": "1", "error": error})

    def protect(self, wanted: dict[str, Any]) -> tuple[int, Any]:
        """Answer as the agent does, which takes no field that it does not know."""
        self.asked.append(wanted)
        if self.lie:
            return self.lie
        if wanted.keys() - {"ProtectionEnabled", "ExpiresInMinutes"}:
            return 400, {"error": {"Code": "InvalidParameterException", "Message": "unknown field"}}
        self.minutes = wanted.get("ExpiresInMinutes", 120) if wanted["ProtectionEnabled"] else 0
        ends = datetime.now(UTC) + timedelta(minutes=self.minutes)
        about = {"ExpirationDate": ends.strftime("%Y-%m-%dT%H:%M:%SZ")} if self.minutes else {}
        return 200, {"protection": {"ProtectionEnabled": bool(self.minutes), "TaskArn": ARN, **about}}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.answers.set()
        self.shutdown()
        self.server_close()


class _Call(BaseHTTPRequestHandler):
    server: FakeEcs

    def do_GET(self) -> None:
        self._answer(200, self.server.task if self.path.startswith("/v4") else {})

    def do_PUT(self) -> None:
        wanted = self._body()
        self._answer(*(self.server.protect(wanted) if self.path == STATE else (404, {})))

    def do_POST(self) -> None:
        asked = self._body()
        verb = self.headers["X-Amz-Target"].rpartition(".")[2]
        self.server.called.append(verb)
        if verb == "DescribeTasks":
            assert asked["tasks"] == [ARN]
            self._answer(200, {"tasks": [{"taskArn": ARN, "group": self.server.group}], "failures": []})
        else:
            assert (verb, asked["services"]) == ("DescribeServices", ["drain"])
            self._answer(200, {"services": [self.server.service] if self.server.service else [], "failures": []})

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, status: int, answer: Any) -> None:
        self.server.answers.wait()
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        try:
            header = f"HTTP/1.1 {status} So\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode()
            self._send("header", header)
            self._send("body", data)
        except OSError:  # whoever has asked does not wait any more
            self.close_connection = True

    def _send(self, part: str, data: bytes) -> None:
        while data and self.server.drips == part:
            self.wfile.write(data[:1])
            data = data[1:]
            time.sleep(0.1)
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

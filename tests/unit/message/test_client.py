from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import NoCredentialsError

from consumer.message import client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_sqs import SQSClient


def config_of(made: SQSClient) -> Any:
    return made.meta.config


URL = "https://sqs.eu-west-3.amazonaws.com/1/orders"


@pytest.fixture(autouse=True)
def fresh_session(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without configuration: a session is kept for good, with what it found when it was made."""
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client.session.cache_clear()
    yield
    client.session.cache_clear()


@pytest.mark.parametrize("wait", [0, 20])
def test_a_long_poll_is_never_abandoned_by_its_own_client_nor_tried_again_inside(wait: int) -> None:
    config = config_of(client.receiver(URL, wait))
    assert config.read_timeout == wait + 15
    assert config.retries["total_max_attempts"] == 1


def test_other_verbs_are_tried_again_and_those_in_a_hurry_are_soon_over() -> None:
    control, hurried = config_of(client.control(URL)), config_of(client.hurried(URL))
    assert control.retries["total_max_attempts"] == 4
    assert config_of(client.once(URL)).retries["total_max_attempts"] == 1
    assert (hurried.connect_timeout, hurried.read_timeout, hurried.retries["total_max_attempts"]) == (2, 5, 2)


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (URL, "eu-west-3"),
        ("https://us-east-2.queue.amazonaws.com/1/orders", "us-east-2"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/1/orders", "cn-north-1"),
        ("http://localhost:9324/1/orders", None),
        ("orders", None),
    ],
)
def test_the_region_is_read_from_the_url_where_none_is_configured(url: str, region: str | None) -> None:
    assert client._region(url) == region


def test_a_configured_region_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert client._region("orders") == "eu-central-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    client.session.cache_clear()
    assert client._region(URL) == "eu-north-1"


def test_clients_are_made_before_the_fork_without_a_call_and_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    client.session.cache_clear()
    resolver = client.session()._session.get_component("credential_provider")._resolver
    monkeypatch.setattr(resolver, "load_credentials", lambda: pytest.fail("credentials are looked up before the fork"))
    made = client.of_process("orders", 20, 1)
    assert client.of_process("orders", 20, 1) is made
    assert client.of_process("orders", 20, 2) is not made


def test_credentials_are_looked_up_at_the_first_signature_and_until_there_are_some() -> None:
    class Resolver:
        answers: ClassVar = [None, Credentials("key", "secret")]

        def load_credentials(self) -> Credentials | None:
            return self.answers.pop(0)

    later = client.Later(Resolver())
    with pytest.raises(NoCredentialsError):
        later.get_frozen_credentials()
    assert later.get_frozen_credentials().access_key == "key"
    assert later.get_frozen_credentials().secret_key == "secret"

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProxyConnectionError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from consumer.message.trouble import Trouble, code, explained, trouble, unheard
from unit.doubles import refusal

KINDS = {
    "NonExistentQueue": Trouble.REFUSED,
    "QueueDoesNotExist": Trouble.REFUSED,
    "AccessDenied": Trouble.REFUSED,
    "AccessDeniedException": Trouble.REFUSED,
    "InvalidClientTokenId": Trouble.REFUSED,
    "SignatureDoesNotMatch": Trouble.REFUSED,
    "KmsAccessDenied": Trouble.REFUSED,
    "KMS.DisabledException": Trouble.REFUSED,
    "ExpiredToken": Trouble.REFUSED,
    "ReceiptHandleIsInvalid": Trouble.HANDLE,
    "MessageNotInflight": Trouble.HANDLE,
    "InvalidParameterValue": Trouble.HANDLE,
    "InvalidMessageContents": Trouble.HANDLE,
    "RequestThrottled": Trouble.AWAY,
    "ThrottlingException": Trouble.AWAY,
    "KmsThrottled": Trouble.AWAY,
    "KMS.ThrottlingException": Trouble.AWAY,
    "OverLimit": Trouble.AWAY,
    "InternalError": Trouble.AWAY,
    "ServiceUnavailable": Trouble.AWAY,
    "502": Trouble.AWAY,
    "": Trouble.AWAY,
}


@pytest.mark.parametrize("prefix", ["", "AWS.SimpleQueueService."])
@pytest.mark.parametrize("name", KINDS)
def test_an_error_is_told_by_its_code_with_and_without_the_query_protocol_s_prefix(prefix: str, name: str) -> None:
    error = refusal(prefix + name)
    assert code(error) == name
    assert trouble(error) is KINDS[name]


@pytest.mark.parametrize(
    "error",
    [
        ConnectTimeoutError(endpoint_url="u"),
        ReadTimeoutError(endpoint_url="u"),
        EndpointConnectionError(endpoint_url="u"),
        ConnectionResetError(),
        TimeoutError(),
        ResponseParserError("a proxy's page"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    ],
)
def test_the_network_is_away_and_waiting_cures_it(error: BaseException) -> None:
    assert trouble(error) is Trouble.AWAY
    assert code(error) == type(error).__name__


@pytest.mark.parametrize("error", [NoCredentialsError(), NoRegionError()])
def test_a_machine_without_credentials_or_region_is_refused(error: BaseException) -> None:
    assert trouble(error) is Trouble.REFUSED


@pytest.mark.parametrize("error", [NoCredentialsError(), NoRegionError(), refusal("AccessDenied")])
def test_what_to_do_is_a_sentence_of_its_own(error: BaseException) -> None:
    before, _, remedy = explained(error).partition(" To do: ")
    assert remedy
    assert before.endswith(".")
    assert not before.endswith("..")


@pytest.mark.parametrize("error", [KeyError("x"), AttributeError("x"), SystemExit(3)])
def test_a_fault_of_this_program_is_nobody_else_s(error: BaseException) -> None:
    assert trouble(error) is Trouble.FAULT


@pytest.mark.parametrize(
    ("error", "surely"),
    [
        (ConnectTimeoutError(endpoint_url="u"), True),
        (EndpointConnectionError(endpoint_url="u"), True),
        (ProxyConnectionError(proxy_url="u"), True),
        (refusal("RequestThrottled"), True),
        (refusal("ThrottlingException"), True),
        (ReadTimeoutError(endpoint_url="u"), False),
        (ConnectionClosedError(endpoint_url="u"), False),
        (refusal("InternalError"), False),
        (refusal("ServiceUnavailable"), False),
        (refusal("AccessDenied"), False),
        (ConnectionResetError(), False),
        (ResponseParserError("a proxy's page"), False),
    ],
)
def test_only_what_never_arrived_or_was_throttled_is_surely_not_done(error: BaseException, *, surely: bool) -> None:
    assert unheard(error) is surely

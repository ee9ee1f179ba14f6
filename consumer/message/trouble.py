"""What an error of SQS means for us, told by its code: exception classes differ between servers and protocols."""

from __future__ import annotations

from enum import Enum

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
)
from botocore.parsers import ResponseParserError

from consumer.errors import advised


class Trouble(Enum):
    """The kinds of trouble."""

    AWAY = "away"  # the network, throttling, 5xx: waiting cures it
    REFUSED = "refused"  # no such queue, access denied, bad credentials: waiting does not cure it
    HANDLE = "handle"  # of this one message: its handle is worth nothing, or a queue does not take what is in it
    FAULT = "fault"  # none of SQS's: a fault of this program


HANDLE = {"ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue", "InvalidMessageContents"}
REFUSED = {
    "AccessDenied", "AccessDeniedException", "AuthFailure", "ExpiredToken", "ExpiredTokenException",
    "IncompleteSignature", "InvalidAccessKeyId", "InvalidAddress", "InvalidClientTokenId", "InvalidSecurity",
    "InvalidSignatureException", "MissingAuthenticationToken", "NonExistentQueue", "NotAuthorized", "OptInRequired",
    "QueueDoesNotExist", "SignatureDoesNotMatch", "UnauthorizedOperation", "UnrecognizedClientException",
    "UnsupportedOperation",
}  # fmt: skip
REMEDIES = {
    "AccessDenied": "allow the task's role sqs:ReceiveMessage, DeleteMessage, ChangeMessageVisibility, "
    "GetQueueAttributes and GetQueueUrl on the queue, and SendMessage and GetQueueUrl on its dead-letter queue",
    "NonExistentQueue": "correct CONSUMER_QUEUE_URL, or the region",
    "QueueDoesNotExist": "correct CONSUMER_QUEUE_URL, or the region",
    "NoRegion": "set AWS_REGION, or CONSUMER_QUEUE_URL to the queue's whole URL",
    "NoCredentials": "give the task a role; elsewhere set AWS_PROFILE or AWS_ACCESS_KEY_ID",
    "ProfileNotFound": "correct AWS_PROFILE",
    "Kms": "allow the task's role kms:Decrypt and kms:GenerateDataKey on the queue's key",
    "KMS": "allow the task's role kms:Decrypt and kms:GenerateDataKey on the queue's key",
}
GARBLED = (ResponseParserError, UnicodeDecodeError)  # what somebody between us and SQS has answered in its place
UNSENT = (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError)  # there was no connection to send it by
LOCAL = (NoCredentialsError, PartialCredentialsError, NoRegionError, ProfileNotFound, ParamValidationError)


def code(error: BaseException) -> str:
    """Give an error's code without the protocol's prefix (AWS.SimpleQueueService.NonExistentQueue), else its class."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "")).rpartition("SimpleQueueService.")[2]
    return type(error).__name__


def explained(error: BaseException) -> str:
    """Put an error into words, with what to do about those that waiting does not cure."""
    name = code(error)
    remedy = next((remedy for part, remedy in REMEDIES.items() if part in name), "")
    return advised(f"{name}: {error}", remedy)


def trouble(error: BaseException) -> Trouble:
    """Tell an error apart."""
    name = code(error)
    if isinstance(error, LOCAL) or name in REFUSED:
        return Trouble.REFUSED
    if name.startswith(("KMS.", "Kms")) and "Throttl" not in name:
        return Trouble.REFUSED
    if name in HANDLE:
        return Trouble.HANDLE
    return Trouble.AWAY if isinstance(error, (ClientError, BotoCoreError, OSError, *GARBLED)) else Trouble.FAULT


def unheard(error: BaseException) -> bool:
    """Tell whether SQS has surely not done what it was asked to, and may do it later: it was not reached, or throttles.

    A connection that broke off, and a 5xx, leave it open: SQS may have done it all the same.
    """
    return isinstance(error, UNSENT) or (isinstance(error, ClientError) and "Throttl" in code(error))

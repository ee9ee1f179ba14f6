"""A handler: one message is one order for a report, which a slow service makes. Copy this file to start your own."""

import json
import os
from http import HTTPStatus
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from consumer import Context, Message, Reject, handler

UPSTREAM_URL = os.environ["UPSTREAM_URL"]  # read here, so that a missing one is found at start and not by each message


@handler
def fetch_report(message: Message, context: Context) -> None:
    """Fetch one report: returning deletes the message, raising brings it back later."""
    request = Request(UPSTREAM_URL, json.dumps(message.body).encode(), {"Idempotency-Key": message.id})
    try:
        with urlopen(request, timeout=context.remaining()) as response:
            context.log.info("report_fetched", order_id=message.body["order_id"], rows=json.load(response)["rows"])
    except HTTPError as error:
        if error.code == HTTPStatus.UNPROCESSABLE_ENTITY:  # no further attempt can succeed: to the dead-letter queue
            raise Reject("the service refuses this order") from error
        raise  # 503 and the like: tried again, each time after a longer pause

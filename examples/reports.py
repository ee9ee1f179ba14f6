"""A handler with a ledger: what it writes is committed with its message, once, whatever dies when."""

from orders import fetch_report
from sqlalchemy import text

from consumer import Context, Message, handler

KEEP = text("INSERT INTO reports (order_id) VALUES (:order_id)")


@handler
def keep_report(message: Message, context: Context) -> None:
    """Fetch one report and note that it is there. CONSUMER_DATABASE_URL says where."""
    fetch_report(message, context)
    context.on_done(lambda session: session.execute(KEEP, {"order_id": message.body["order_id"]}))

"""Find the rows that an event names."""

from __future__ import annotations

from eventstore.conversation.rows import (
    MessageRow,
    Place,
    RunRow,
    ThreadRow,
)
from eventstore.conversation.view import ThreadView

__all__ = ["head_place", "message_row", "run_row", "thread_row"]


def thread_row(view: ThreadView) -> ThreadRow:
    row = view.thread
    if row is None:
        message = "the first event of a thread is ThreadCreated or ThreadForked"
        raise LookupError(message)
    return row


def message_row(view: ThreadView, message_id: bytes) -> MessageRow:
    row = view.message(message_id)
    if row is None:
        message = f"an event names message {message_id.hex()}, which the thread does not have"
        raise LookupError(message)
    return row


def head_place(view: ThreadView) -> Place | None:
    head = thread_row(view).head
    return None if head is None else message_row(view, head).place


def run_row(view: ThreadView, run_id: bytes) -> RunRow:
    row = view.run(run_id)
    if row is None:
        message = f"an event names run {run_id.hex()}, which the thread does not have"
        raise LookupError(message)
    return row

"""Changes the row of a message for each event that touches it, as the events declare it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eventstore.conversation.events import THREAD_EVENTS
from eventstore.conversation.events.thread_event import Rewriter
from eventstore.conversation.rows import MessageRow
from eventstore.core.events import Event

__all__ = ["changed_by", "changes_message"]

_REWRITERS: Final[Mapping[str, Rewriter]] = {
    one.name: one.rewrites for one in THREAD_EVENTS if one.rewrites is not None
}


def changes_message(event: Event, message_id: bytes) -> bool:
    """Return whether an event that touches a message changes its row.

    Other events label it, or remove a message below it.
    """
    if event.type not in _REWRITERS:
        return False
    return message_id in {event.data.message_id, getattr(event.data, "replaces", None)}


def changed_by(row: MessageRow, event: Event) -> MessageRow:
    """Return a message's row after an event that changes it."""
    return _REWRITERS[event.type](row, event.data, event.version)

"""Changes the row of a message for each event that touches it."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from eventstore.conversation.rows import MessageRow, Said
from eventstore.core.events import Event

__all__ = ["changed_by", "changes_message", "saying"]

_CHANGES: Final = {
    *("MessageAmended", "MessageUpdated", "MessageRemoved", "MessageRestored", "MessageQueued")
}


def changes_message(event: Event, message_id: bytes) -> bool:
    """Return whether an event that touches a message changes its row.

    Other events label it, or remove a message below it. A queued edit changes the message that it
    replaces.
    """
    if event.type not in _CHANGES:
        return False
    return message_id in {event.data.message_id, getattr(event.data, "replaces", None)}


def saying(row: MessageRow, version: int, *fields: str) -> MessageRow:
    """Return a message's row after an event changed its words, metadata or name."""
    said = row.said or Said()
    return replace(
        row,
        changed=version,
        revision=row.revision + ("words" in fields),
        said=said._replace(**dict.fromkeys(fields, version)),
    )


def changed_by(row: MessageRow, event: Event) -> MessageRow:
    """Return a message's row after an event that changes it."""
    data, version = event.data, event.version
    if event.type == "MessageAmended":
        return saying(row, version, "words")
    if event.type == "MessageUpdated":
        return saying(row, version, *data.fields)
    if event.type == "MessageRemoved":
        return replace(row, changed=version, removed=version, took_head=data.head_moved)
    if event.type == "MessageRestored":
        return replace(row, changed=version, removed=None, took_head=False)
    return replace(row, changed=version, status="replaced", sent=None)

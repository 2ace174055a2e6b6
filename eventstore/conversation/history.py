"""Which events hold what a message says, wherever they were recorded.

A message's own thread has the event that bore it and those that changed it. For what a fork
inherits its source is asked, and its source's source.
"""

from __future__ import annotations

from typing import Final

from msgspec import UNSET

from eventstore.conversation.events import ThreadDetails
from eventstore.conversation.rows import MessageRow, ThreadRow
from eventstore.conversation.view import ThreadHistory, Told
from eventstore.core.events import Event

__all__ = ["changes_message", "told_born", "told_changes", "told_details"]


def told_details(view: ThreadHistory, row: ThreadRow) -> tuple[Told | None, Told | None]:
    """Return the events that say title and metadata; a fork has its source's until it has its own.

    None: none was ever given, or it was erased.
    """
    title: Told | None = None
    metadata: Told | None = None
    source = view.source
    if source is not None and source.thread is not None:
        title, metadata = told_details(source, source.thread)
    versions = [1, *view.touches_of(row.thread_id)] if row.changed else [1]
    said = [Told(view.thread_id, view.event(version)) for version in versions]
    for one in said:
        content = one.event.content
        if isinstance(content, ThreadDetails):
            title = title if content.title is UNSET else one
            metadata = metadata if content.metadata is UNSET else one
    return title, metadata


def told_born(view: ThreadHistory, row: MessageRow, hop: int) -> Told:
    """Return the event that holds a message's words as first given; ``hop`` is the row's."""
    while hop:
        view, hop = _source(view), hop - 1
    return Told(view.thread_id, view.event(row.content_version))


_CHANGES: Final = {
    *("MessageAmended", "MessageUpdated", "MessageRemoved", "MessageRestored", "MessageQueued")
}


def changes_message(event: Event, message_id: bytes) -> bool:
    """Tell whether an event that touches a message changes its row.

    It may also name it, or remove what follows it. What is queued changes what it replaces.
    """
    if event.type not in _CHANGES:
        return False
    return message_id in {event.data.message_id, getattr(event.data, "replaces", None)}


def told_changes(view: ThreadHistory, row: MessageRow, hop: int) -> list[Told]:
    """Return the later events about a message, the source's before the fork's own."""
    before: list[Told] = []
    if hop:
        before = told_changes(_source(view), row, hop - 1)
    own = [Told(view.thread_id, view.event(at)) for at in view.touches_of(row.message_id)]
    return before + own


def _source(view: ThreadHistory) -> ThreadHistory:
    source = view.source
    assert source is not None  # noqa: S101 (a message with a hop was inherited)
    return source

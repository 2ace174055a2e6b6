"""The event that erases content: its data, and the rows that it changes."""

from __future__ import annotations

from typing import Final

from eventstore.conversation.events.base import Note
from eventstore.conversation.events.thread_event import ThreadEvent
from eventstore.conversation.rows import (
    LabelRow,
    Row,
)
from eventstore.conversation.view import ThreadView
from eventstore.core.events import Event, EventData

__all__ = ["ERASURES", "ContentErased"]


class ContentErased(EventData, frozen=True):
    """Content of this stream that is erased for good: no read returns it from then on."""

    message_id: bytes
    """Message to erase."""
    versions: tuple[int, ...]
    """Events of this stream that lost their content."""
    also: tuple[bytes, ...] = ()
    """Other messages erased with it: its edits and regenerations."""
    run_ids: tuple[bytes, ...] = ()
    unlabelled: tuple[bytes, ...] = ()
    """Messages that lost their label."""
    source_id: bytes | None = None
    """In a fork: thread of the erased message. The fork's own content about it is erased here."""


def _erased(_: ThreadView, data: ContentErased, __: Event) -> list[Row]:
    """Remove the labels: of all rows, only labels hold words. The events lost theirs already."""
    return [LabelRow(message_id, None) for message_id in data.unlabelled]


ERASURES: Final = (ThreadEvent(ContentErased, Note, evolve=_erased),)

"""The event that erases content: its data, and the rows that it changes.

Streams of every category may hold one. Only threads have rows that it changes.
"""

from __future__ import annotations

from typing import ClassVar, Final

from eventstore.conversation.events.base import Note
from eventstore.conversation.events.thread_event import ThreadEvent
from eventstore.conversation.rows import (
    LabelRow,
    Row,
)
from eventstore.conversation.view import ThreadView
from eventstore.core.events import Event, EventData

__all__ = ["ERASURE", "ContentErased"]


class ContentErased(EventData, frozen=True):
    """Content of this stream that is erased for good: no read returns it from then on."""

    erases: ClassVar[bool] = True
    versions: tuple[int, ...]
    """Events of this stream that lost their content."""
    message_id: bytes | None = None
    """Message to erase; None if a person or the whole thread is erased."""
    also: tuple[bytes, ...] = ()
    """Other messages that lost their words: its edits and regenerations, or those of the person."""
    run_ids: tuple[bytes, ...] = ()
    unlabelled: tuple[bytes, ...] = ()
    """Messages that lost their label."""
    source_id: bytes | None = None
    """In a fork: thread of the erased message. The fork's own content about it is erased here."""
    subject_id: bytes | None = None
    """The person whose content is erased."""
    whole: bool = False
    """All content of the stream is erased."""
    untitled: bool = False
    """The thread's present title is among what is erased."""

    @property
    def erased_messages(self) -> tuple[bytes, ...]:
        """Every message that lost its words."""
        return self.also if self.message_id is None else (self.message_id, *self.also)


def _erased(_: ThreadView, data: ContentErased, __: Event) -> list[Row]:
    """Remove the labels: of all rows, only labels hold words. The events lost theirs already."""
    return [LabelRow(message_id, None) for message_id in data.unlabelled]


ERASURE: Final = ThreadEvent(ContentErased, Note, "erased content for good", evolve=_erased)

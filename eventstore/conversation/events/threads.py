"""The events of a thread's life: their data, their content, and the rows that they change."""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from eventstore.conversation.events.base import Note
from eventstore.conversation.events.rows import thread_row
from eventstore.conversation.events.thread_event import Evolver, ThreadEvent
from eventstore.conversation.rows import (
    ForkPoint,
    Place,
    Row,
    ThreadRow,
    TouchRow,
)
from eventstore.conversation.view import ThreadView
from eventstore.core.events import Event, EventData

__all__ = [
    "THREAD_LIFE",
    "ThreadArchived",
    "ThreadCreated",
    "ThreadDeleted",
    "ThreadDetails",
    "ThreadForked",
    "ThreadRestored",
    "ThreadUnarchived",
    "ThreadUpdated",
    "named_by",
]

# ruff: noqa: D101 (each event is explained once, in the table of docs/format.md)


class ThreadDetails(Note, frozen=True):
    title: str | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class ThreadCreated(EventData, frozen=True):
    pass


class ThreadUpdated(EventData, frozen=True):
    fields: tuple[str, ...] = ()
    """Those of ``"title"`` and ``"metadata"`` that are replaced; stays when they are erased."""


class ThreadArchived(EventData, frozen=True):
    pass


class ThreadUnarchived(EventData, frozen=True):
    pass


class ThreadDeleted(EventData, frozen=True):
    pass


class ThreadRestored(EventData, frozen=True):
    pass


class ThreadForked(EventData, frozen=True):
    """First event of a fork: its place in the source, and the source's hash at that version."""

    source_id: bytes
    source_version: int
    source_hash: bytes
    message_id: bytes
    hop: int
    segment: int
    depth: int


def named_by(event: Event) -> ThreadDetails | None:
    """Return title and metadata as an event sets them; empty ones if its content was erased."""
    if isinstance(event.content, ThreadDetails):
        return event.content
    if event.content is not None or not isinstance(event.data, ThreadCreated | ThreadUpdated):
        return None
    fields: tuple[str, ...] = ("title", "metadata")
    if isinstance(event.data, ThreadUpdated):
        fields = event.data.fields
    return ThreadDetails(
        title=None if "title" in fields else UNSET, metadata={} if "metadata" in fields else UNSET
    )


def _created(view: ThreadView, _: object, event: Event) -> list[Row]:
    now = event.recorded_at_us
    return [ThreadRow(view.thread_id, event.version, event.position, now, now)]


def _forked(view: ThreadView, data: ThreadForked, event: Event) -> list[Row]:
    now = event.recorded_at_us
    place = Place(data.hop, data.segment, data.depth)
    fork = ForkPoint(data.source_id, data.message_id, place, data.source_version)
    row = ThreadRow(view.thread_id, event.version, event.position, now, now)
    return [replace(row, head=data.message_id, fork=fork)]


def _updated(view: ThreadView, _: object, event: Event) -> list[Row]:
    return [TouchRow(view.thread_id, event.version), replace(thread_row(view), changed=True)]


def _marked(**changes: bool) -> Evolver:
    def mark(view: ThreadView, _: object, event: Event) -> list[Row]:
        return [TouchRow(view.thread_id, event.version), replace(thread_row(view), **changes)]

    return mark


THREAD_LIFE: Final = (
    ThreadEvent(ThreadCreated, ThreadDetails, evolve=_created),
    ThreadEvent(ThreadUpdated, ThreadDetails, evolve=_updated),
    ThreadEvent(ThreadArchived, Note, evolve=_marked(archived=True)),
    ThreadEvent(ThreadUnarchived, Note, evolve=_marked(archived=False)),
    ThreadEvent(ThreadDeleted, Note, evolve=_marked(deleted=True)),
    ThreadEvent(ThreadRestored, Note, evolve=_marked(deleted=False)),
    ThreadEvent(ThreadForked, Note, evolve=_forked),
)

"""The events of a thread's life: their data, their content, and the rows that they change."""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from eventstore.conversation.events.base import Note
from eventstore.conversation.events.rows import thread_row
from eventstore.conversation.events.thread_event import Evolver, ThreadEvent
from eventstore.conversation.facts import (
    Facts,
    facts_of_stream,
    replaced_fields,
    shown_id,
    these,
    words,
)
from eventstore.conversation.rows import (
    ForkPoint,
    Place,
    Row,
    ThreadRow,
    TouchRow,
)
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
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


def _updated(view: ThreadView, data: ThreadUpdated, event: Event) -> list[Row]:
    row = thread_row(view)
    named = row.named._replace(**dict.fromkeys(data.fields, event.version))
    return [TouchRow(view.thread_id, event.version), replace(row, named=named)]


def _marked(**changes: bool) -> Evolver:
    def mark(view: ThreadView, _: object, event: Event) -> list[Row]:
        return [TouchRow(view.thread_id, event.version), replace(thread_row(view), **changes)]

    return mark


_NEW: Final[Facts] = {
    "title": None,
    "metadata": None,
    "head_id": None,
    "archived": False,
    "deleted": False,
    "forked_from": None,
}


def _created_facts(_: Facts, __: object, event: Event, stream: bytes) -> Facts:
    return {**_NEW, **words(stream, event, "title", "metadata")}


def _forked_facts(facts: Facts, data: ThreadForked, _: Event, __: bytes) -> Facts:
    """Return the facts of a fork; ``facts`` are the title and the metadata that it inherits."""
    head = shown_id(ids.MESSAGE, data.message_id)
    source = {
        "thread_id": shown_id(ids.THREAD, data.source_id),
        "message_id": head,
        "version": data.source_version,
    }
    return {**_NEW, **facts, "head_id": head, "forked_from": source}


def _life(data: type[EventData], deed: str, **changes: bool) -> ThreadEvent:
    facts = (facts_of_stream(ids.THREAD, these(**changes)),)
    return ThreadEvent(data, Note, deed, facts, evolve=_marked(**changes))


THREAD_LIFE: Final = (
    ThreadEvent(
        ThreadCreated,
        ThreadDetails,
        "began the thread",
        (facts_of_stream(ids.THREAD, _created_facts, begins=True),),
        evolve=_created,
    ),
    ThreadEvent(
        ThreadUpdated,
        ThreadDetails,
        "changed the thread",
        (facts_of_stream(ids.THREAD, replaced_fields),),
        evolve=_updated,
    ),
    _life(ThreadArchived, "archived the thread", archived=True),
    _life(ThreadUnarchived, "took the thread out of the archive", archived=False),
    _life(ThreadDeleted, "deleted the thread", deleted=True),
    _life(ThreadRestored, "restored the thread", deleted=False),
    ThreadEvent(
        ThreadForked,
        Note,
        "forked the thread from another",
        (facts_of_stream(ids.THREAD, _forked_facts, begins=True, inherits=True),),
        evolve=_forked,
    ),
)

"""The events that change messages: their data, their content, rows and facts."""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET, UnsetType, field
from msgspec.structs import replace

from eventstore.conversation import tree
from eventstore.conversation.events.base import Note
from eventstore.conversation.events.rows import message_row, thread_row
from eventstore.conversation.events.thread_event import Evolver, Rewriter, ThreadEvent
from eventstore.conversation.facts import (
    FactRule,
    Facts,
    facts_of_named,
    facts_of_stream,
    replaced_fields,
    shown_id,
    these,
    words,
)
from eventstore.conversation.parts import StoredPart
from eventstore.conversation.provider_form import StoredForm
from eventstore.conversation.rows import MessageRow, Row, Said, TouchRow
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
from eventstore.core.events import Event, EventData

__all__ = [
    "MESSAGE_CHANGES",
    "AmendedContent",
    "MessageAmended",
    "MessageDetails",
    "MessageRemoved",
    "MessageRestored",
    "MessageUpdated",
]

# ruff: noqa: D101 (each event is explained once, in the table of docs/format.md)


class MessageAmended(EventData, frozen=True):
    message_id: bytes


class AmendedContent(Note, frozen=True):
    parts: list[StoredPart] = field(default_factory=list)
    provider: StoredForm | None = None


class MessageUpdated(EventData, frozen=True):
    message_id: bytes
    fields: tuple[str, ...] = ()
    """Those of ``"metadata"`` and ``"name"`` that are replaced; stays when they are erased."""


class MessageDetails(Note, frozen=True):
    metadata: dict[str, Any] | UnsetType | None = UNSET
    name: str | UnsetType | None = UNSET


class MessageRemoved(EventData, frozen=True):
    message_id: bytes
    head: bytes | None = None
    head_moved: bool = False


class MessageRestored(EventData, frozen=True):
    message_id: bytes
    head: bytes | None = None
    head_moved: bool = False


def _amended_message(row: MessageRow, _: MessageAmended, version: int) -> MessageRow:
    return _saying(row, version, "words")


def _updated_message(row: MessageRow, data: MessageUpdated, version: int) -> MessageRow:
    return _saying(row, version, *data.fields)


def _saying(row: MessageRow, version: int, *fields: str) -> MessageRow:
    """Return a message's row after an event changed its words, metadata or name."""
    said = row.said or Said()
    return replace(
        row,
        changed=version,
        revision=row.revision + ("words" in fields),
        said=said._replace(**dict.fromkeys(fields, version)),
    )


def _reworded(rewrite: Rewriter) -> Evolver:
    def evolve(view: ThreadView, data: MessageAmended | MessageUpdated, event: Event) -> list[Row]:
        row = message_row(view, data.message_id)
        return [TouchRow(data.message_id, event.version), rewrite(row, data, event.version)]

    return evolve


def _removed_message(row: MessageRow, data: MessageRemoved, version: int) -> MessageRow:
    return replace(row, changed=version, removed=version, took_head=data.head_moved)


def _restored_message(row: MessageRow, _: MessageRestored, version: int) -> MessageRow:
    return replace(row, changed=version, removed=None, took_head=False)


def _removed(view: ThreadView, data: MessageRemoved, event: Event) -> list[Row]:
    row, thread = message_row(view, data.message_id), thread_row(view)
    rows = [*_touches(view, row, event), _removed_message(row, data, event.version)]
    if row.place is None:
        return [*rows, replace(thread, queued_messages=thread.queued_messages - 1)]
    rows += tree.removal_rows(view, row.place, +1)
    head = data.head if data.head_moved else thread.head
    return [*rows, replace(thread, head=head, removed_messages=thread.removed_messages + 1)]


def _restored(view: ThreadView, data: MessageRestored, event: Event) -> list[Row]:
    row, thread = message_row(view, data.message_id), thread_row(view)
    rows = [*_touches(view, row, event), _restored_message(row, data, event.version)]
    if row.place is None:
        return [*rows, replace(thread, queued_messages=thread.queued_messages + 1)]
    rows += tree.removal_rows(view, row.place, -1)
    head = data.head if data.head_moved else thread.head
    return [*rows, replace(thread, head=head, removed_messages=thread.removed_messages - 1)]


def _touches(view: ThreadView, row: MessageRow, event: Event) -> list[Row]:
    """Touch the parent of a removed or restored message: the counts of its siblings change."""
    touch: Row = TouchRow(row.message_id, event.version)
    if row.place is None:
        return [touch]
    return [touch, TouchRow(row.parent_id or view.thread_id, event.version)]


def _amended_facts(_: Facts, __: MessageAmended, event: Event, stream: bytes) -> Facts:
    return words(stream, event, "content", "provider")


def _head_moved_facts(
    _: Facts, data: MessageRemoved | MessageRestored, __: Event, ___: bytes
) -> Facts:
    return {"head_id": shown_id(ids.MESSAGE, data.head)}


def _removed_facts(*, removed: bool) -> tuple[FactRule, ...]:
    return (
        facts_of_named(ids.MESSAGE, "message_id", these(removed=removed)),
        facts_of_stream(ids.THREAD, _head_moved_facts, when=lambda data: data.head_moved),
    )


MESSAGE_CHANGES: Final = (
    ThreadEvent(
        MessageAmended,
        AmendedContent,
        "amended a message",
        (facts_of_named(ids.MESSAGE, "message_id", _amended_facts),),
        evolve=_reworded(_amended_message),
        subject="message_id",
        rewrites=_amended_message,
    ),
    ThreadEvent(
        MessageUpdated,
        MessageDetails,
        "changed name or metadata of a message",
        (facts_of_named(ids.MESSAGE, "message_id", replaced_fields),),
        evolve=_reworded(_updated_message),
        subject="message_id",
        rewrites=_updated_message,
    ),
    ThreadEvent(
        MessageRemoved,
        Note,
        "removed a message",
        _removed_facts(removed=True),
        evolve=_removed,
        subject="message_id",
        rewrites=_removed_message,
    ),
    ThreadEvent(
        MessageRestored,
        Note,
        "restored a message",
        _removed_facts(removed=False),
        evolve=_restored,
        subject="message_id",
        rewrites=_restored_message,
    ),
)

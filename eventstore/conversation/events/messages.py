"""The events of messages: their data, their content, and the rows that they change."""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET, UnsetType, field
from msgspec.structs import replace

from eventstore.conversation import tree
from eventstore.conversation.events.base import Note
from eventstore.conversation.events.rows import head_place, message_row, run_row, thread_row
from eventstore.conversation.events.thread_event import ThreadEvent
from eventstore.conversation.history import saying
from eventstore.conversation.parts import StoredPart
from eventstore.conversation.provider_form import StoredForm
from eventstore.conversation.rows import (
    ROOT,
    MessageRow,
    MessageStatus,
    Role,
    Row,
    RunRow,
    TouchRow,
)
from eventstore.conversation.view import ThreadView
from eventstore.core.events import Event, EventData

__all__ = [
    "MESSAGES",
    "AmendedContent",
    "MessageAdded",
    "MessageAmended",
    "MessageBegun",
    "MessageBorn",
    "MessageContent",
    "MessageDetails",
    "MessageEdited",
    "MessageQueued",
    "MessageRegenerated",
    "MessageRemoved",
    "MessageRestored",
    "MessageUpdated",
]

# ruff: noqa: D101 (each event is explained once, in the table of docs/format.md)


class MessageContent(Note, frozen=True):
    parts: list[StoredPart] = field(default_factory=list)
    metadata: dict[str, Any] | None = None
    name: str | None = None
    external_id: str | None = None
    provider: StoredForm | None = None


class MessageBorn(EventData, frozen=True):
    """Fields that all events that add a message share."""

    message_id: bytes
    role: Role
    parent_id: bytes | None = None
    select: bool = True
    """Whether the head moves to it."""
    status: MessageStatus = "completed"
    run_id: bytes | None = None
    calls: tuple[str, ...] = ()
    """Ids of the tool calls it makes."""
    answers: tuple[str, ...] = ()
    """Ids of the tool calls it answers."""
    original_created_at_us: int | None = None


class MessageBegun(EventData, frozen=True):
    """The run writes this message; its text so far is in ``run_chunks``."""

    message_id: bytes
    run_id: bytes


class MessageAdded(MessageBorn, frozen=True):
    queued_version: int | None = None
    """Version of the ``MessageQueued`` that holds its content, if it was queued."""
    interrupted: bool = False
    """It is the text that its run had shown when it was interrupted: the next message of the run
    is its sibling."""


class MessageEdited(MessageBorn, frozen=True):
    replaces: bytes | None = None


class MessageRegenerated(MessageBorn, frozen=True):
    replaces: bytes | None = None


class MessageQueued(EventData, frozen=True):
    message_id: bytes
    role: Role
    calls: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    original_created_at_us: int | None = None
    replaces: bytes | None = None
    """Queued message that this one edits: it leaves the queue."""
    sent: int | None = None
    """Version at which the first replaced message was queued: its place in the queue, which
    stays."""


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


def _born(view: ThreadView, data: MessageAdded | MessageEdited, event: Event) -> list[Row]:
    thread = view.thread or thread_row(view)
    parent = None if data.parent_id is None else message_row(view, data.parent_id)
    above = ROOT if parent is None else parent.place or ROOT
    place, rows = tree.child_rows(view, above, event.version, active=data.select)
    queued_version = data.queued_version if isinstance(data, MessageAdded) else None
    inherited = () if parent is None else parent.open_calls
    row = MessageRow(
        message_id=data.message_id,
        version=event.version,
        role=data.role,
        place=place,
        parent_id=data.parent_id,
        status=data.status,
        queued_version=queued_version,
        replaces=None if isinstance(data, MessageAdded) else data.replaces,
        run_id=data.run_id,
        open_calls=_still_open(inherited, data.calls, data.answers)
        if data.calls or data.answers
        else inherited,
    )
    if queued_version is not None:
        waiting = message_row(view, data.message_id)
        kept = {"changed": waiting.changed, "revision": waiting.revision, "said": waiting.said}
        row = replace(row, replaces=waiting.replaces, **kept)
        thread = replace(thread, queued_messages=thread.queued_messages - 1)
    if data.run_id is not None:
        rows.append(_run_wrote(run_row(view, data.run_id), data))
    if data.select:
        if parent is None or parent.message_id != thread.head:
            rows += tree.head_move_rows(view, head_place(view), above)
        thread = replace(thread, head=data.message_id)
    return [*rows, row, thread]


def _run_wrote(run: RunRow, data: MessageBorn) -> RunRow:
    writing = None if run.writing == data.message_id else run.writing
    if isinstance(data, MessageAdded) and data.interrupted:  # its step is asked again beside it
        return replace(run, writing=writing)
    return replace(run, writing=writing, last_message=data.message_id)


def _begun(view: ThreadView, data: MessageBegun, _: Event) -> list[Row]:
    return [replace(run_row(view, data.run_id), writing=data.message_id)]


def _still_open(
    before: tuple[str, ...], calls: tuple[str, ...], answers: tuple[str, ...]
) -> tuple[str, ...]:
    return tuple(call for call in before if call not in answers) + calls


def _queued(view: ThreadView, data: MessageQueued, event: Event) -> list[Row]:
    row = MessageRow(
        message_id=data.message_id,
        version=event.version,
        role=data.role,
        place=None,
        status="queued",
        queued_version=event.version,
        replaces=data.replaces,
        sent=data.sent,
    )
    if data.replaces is not None:
        old = message_row(view, data.replaces)
        replaced = replace(old, status="replaced", sent=None, changed=event.version)
        return [TouchRow(data.replaces, event.version), replaced, row]
    thread = thread_row(view)
    return [row, replace(thread, queued_messages=thread.queued_messages + 1)]


def _amended(view: ThreadView, data: MessageAmended, event: Event) -> list[Row]:
    row = message_row(view, data.message_id)
    return [TouchRow(data.message_id, event.version), saying(row, event.version, "words")]


def _message_updated(view: ThreadView, data: MessageUpdated, event: Event) -> list[Row]:
    row = message_row(view, data.message_id)
    return [TouchRow(data.message_id, event.version), saying(row, event.version, *data.fields)]


def _removed(view: ThreadView, data: MessageRemoved, event: Event) -> list[Row]:
    row, thread = message_row(view, data.message_id), thread_row(view)
    gone = replace(row, removed=event.version, took_head=data.head_moved, changed=event.version)
    rows = [*_touches(view, row, event), gone]
    if row.place is None:
        return [*rows, replace(thread, queued_messages=thread.queued_messages - 1)]
    rows += tree.removal_rows(view, row.place, +1)
    head = data.head if data.head_moved else thread.head
    return [*rows, replace(thread, head=head, removed_messages=thread.removed_messages + 1)]


def _restored(view: ThreadView, data: MessageRestored, event: Event) -> list[Row]:
    row, thread = message_row(view, data.message_id), thread_row(view)
    back = replace(row, removed=None, took_head=False, changed=event.version)
    rows = [*_touches(view, row, event), back]
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


MESSAGES: Final = (
    ThreadEvent(MessageBegun, Note, evolve=_begun, subject="message_id"),
    ThreadEvent(MessageAdded, MessageContent, evolve=_born, subject="message_id"),
    ThreadEvent(MessageQueued, MessageContent, evolve=_queued, subject="message_id"),
    ThreadEvent(MessageEdited, MessageContent, evolve=_born, subject="message_id"),
    ThreadEvent(MessageRegenerated, MessageContent, evolve=_born, subject="message_id"),
    ThreadEvent(MessageAmended, AmendedContent, evolve=_amended, subject="message_id"),
    ThreadEvent(MessageUpdated, MessageDetails, evolve=_message_updated, subject="message_id"),
    ThreadEvent(MessageRemoved, Note, evolve=_removed, subject="message_id"),
    ThreadEvent(MessageRestored, Note, evolve=_restored, subject="message_id"),
)

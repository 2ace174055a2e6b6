"""The events that add messages: their data, their content, rows and facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import field
from msgspec.structs import replace

from eventstore.conversation import tree
from eventstore.conversation.events.base import Note
from eventstore.conversation.events.rows import head_place, message_row, run_row, thread_row
from eventstore.conversation.events.thread_event import ThreadEvent
from eventstore.conversation.facts import (
    FactRule,
    Facts,
    facts_of_named,
    facts_of_stream,
    shown_id,
    these,
    words,
)
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
from eventstore.core import ids
from eventstore.core.events import Event, EventData

__all__ = [
    "MESSAGES",
    "MessageAdded",
    "MessageBegun",
    "MessageBorn",
    "MessageContent",
    "MessageEdited",
    "MessageQueued",
    "MessageRegenerated",
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


def _replaced_message(row: MessageRow, _: MessageQueued, version: int) -> MessageRow:
    return replace(row, changed=version, status="replaced", sent=None)


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
        replaced = _replaced_message(message_row(view, data.replaces), data, event.version)
        return [TouchRow(data.replaces, event.version), replaced, row]
    thread = thread_row(view)
    return [row, replace(thread, queued_messages=thread.queued_messages + 1)]


_WORDS: Final = ("content", "name", "metadata", "external_id", "provider")


def _placed_facts(data: MessageBorn) -> Facts:
    return {
        "status": data.status,
        "parent_id": shown_id(ids.MESSAGE, data.parent_id),
        "run_id": shown_id(ids.RUN, data.run_id),
    }


def _new_facts(
    data: MessageBorn | MessageQueued, placed: Facts, event: Event, stream: bytes
) -> Facts:
    return {
        "role": data.role,
        **words(stream, event, *_WORDS),
        **placed,
        "replaces": shown_id(ids.MESSAGE, getattr(data, "replaces", None)),
        "removed": False,
        "label": None,
    }


def _born_facts(_: Facts, data: MessageBorn, event: Event, stream: bytes) -> Facts:
    placed = _placed_facts(data)
    return placed if _joins(data) else _new_facts(data, placed, event, stream)


def _joins(data: MessageBorn) -> bool:
    """Return whether a message waited in the queue, where it has its words."""
    return isinstance(data, MessageAdded) and data.queued_version is not None


def _queued_facts(_: Facts, data: MessageQueued, event: Event, stream: bytes) -> Facts:
    waiting = {"status": "queued", "parent_id": None, "run_id": None}
    return _new_facts(data, waiting, event, stream)


def _moved_to_new(_: Facts, data: MessageBorn, __: Event, ___: bytes) -> Facts:
    return {"head_id": shown_id(ids.MESSAGE, data.message_id)}


_BORN_FACTS: Final[tuple[FactRule, ...]] = (
    facts_of_named(ids.MESSAGE, "message_id", _born_facts, begins=lambda data: not _joins(data)),
    facts_of_stream(ids.THREAD, _moved_to_new, when=lambda data: data.select),
)


def _added_deed(now: Mapping[str, object]) -> str:
    return "added a message" if "role" in now else "let a waiting message join the conversation"


MESSAGES: Final = (
    ThreadEvent(
        MessageBegun, Note, "began to write a message", evolve=_begun, subject="message_id"
    ),
    ThreadEvent(
        MessageAdded, MessageContent, _added_deed, _BORN_FACTS, evolve=_born, subject="message_id"
    ),
    ThreadEvent(
        MessageQueued,
        MessageContent,
        "sent a message, which waits",
        (
            facts_of_named(ids.MESSAGE, "message_id", _queued_facts, begins=lambda _: True),
            facts_of_named(ids.MESSAGE, "replaces", these(status="replaced")),
        ),
        evolve=_queued,
        subject="message_id",
        rewrites=_replaced_message,
    ),
    ThreadEvent(
        MessageEdited,
        MessageContent,
        "edited a message: another beside it",
        _BORN_FACTS,
        evolve=_born,
        subject="message_id",
    ),
    ThreadEvent(
        MessageRegenerated,
        MessageContent,
        "wrote another answer beside one",
        _BORN_FACTS,
        evolve=_born,
        subject="message_id",
    ),
)

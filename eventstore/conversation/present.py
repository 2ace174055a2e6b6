"""Turns rows and events into the values that users get, for live tables and replay alike.

Content is in the log, so presenting reads a :class:`~eventstore.conversation.view.ThreadHistory`:
the row holds the place of a message, the event that added it holds its words, and later events are
folded over them. For inherited messages the source's events come first, as of the fork.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from msgspec import UNSET, UnsetType

from eventstore.conversation import events as e
from eventstore.conversation import tree
from eventstore.conversation.content import from_stored, text_of
from eventstore.conversation.events.rows import message_row, thread_row
from eventstore.conversation.events.threads import named_by
from eventstore.conversation.parts import TextPart
from eventstore.conversation.provider_form import form_from_stored
from eventstore.conversation.rows import MessageRow, ThreadRow
from eventstore.conversation.values import Branch, Message, Origin, Revision, Thread
from eventstore.conversation.view import SourcedEvent, ThreadHistory
from eventstore.core import ids
from eventstore.core.events import Event, instant
from eventstore.core.trusted import trusted

__all__ = [
    "branch_value",
    "labelled_branch",
    "message_value",
    "new_message",
    "no_result",
    "revisions",
    "selected_branch",
    "stretch_values",
    "target_message",
    "this_thread",
    "thread_value",
]

_FIELDS: Final[dict[str, Any]] = dict.fromkeys(Message.model_fields)
"""Of a message. Python builds a literal of so many keys one by one, growing it on the way, which
takes three times as long as to fill in a copy."""
_ALONE: Final = (0, 1)
"""Index and count of a message without siblings."""
_NOTHING: Final = e.MessageContent()
"""Content of a message that was erased."""
_BORN: Final = {"MessageAdded", "MessageEdited", "MessageRegenerated", "MessageQueued"}


class _OnMessage(Protocol):
    """A command about one message."""

    @property
    def target(self) -> bytes: ...


# -- threads ---------------------------------------------------------------------------------------


def thread_value(view: ThreadHistory, row: ThreadRow) -> Thread:
    """Return a thread as users see it."""
    title, metadata = thread_details(view)
    fork = row.fork
    return Thread.model_validate(
        {
            "id": ids.show(ids.THREAD, row.thread_id),
            "title": title,
            "metadata": metadata,
            "head_id": ids.show_or_none(ids.MESSAGE, row.head),
            "archived": row.archived,
            "deleted": row.deleted,
            "busy": row.open_runs > 0,
            "forked_from": None
            if fork is None
            else {
                "thread_id": ids.show(ids.THREAD, fork.thread_id),
                "message_id": ids.show(ids.MESSAGE, fork.message_id),
                "version": fork.version,
            },
            "created_at": instant(row.created_at_us),
            "updated_at": instant(row.updated_at_us),
            "version": row.version,
        }
    )


def thread_details(view: ThreadHistory) -> tuple[str | None, dict[str, Any]]:
    """Return title and metadata; a fork shows its source's until it sets its own.

    Where they were erased, those before them do not come back.
    """
    title: str | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    for one in view.renamings():
        said = named_by(one.event)
        if said is not None:
            title = said.title if title is UNSET else title
            metadata = said.metadata if metadata is UNSET else metadata
            if title is not UNSET and metadata is not UNSET:
                break
    return None if title is UNSET else title, {} if metadata is UNSET else metadata


# -- messages --------------------------------------------------------------------------------------


def stretch_values(view: ThreadHistory, stretch: tree.Range) -> list[Message]:
    """Return a run of consecutive messages as users see them, oldest first.

    Only the first message may hang from another segment. So each later message has siblings only at
    a branch point of this segment, and nothing is looked up for the rest.
    """
    hop, segment, start, end = stretch
    branched = view.branched(hop, segment, start - 1, end - 1)
    found = view.stretch(hop, segment, start, end)
    return [
        message_value(
            view, row, born, _ALONE if depth > start and depth - 1 not in branched else None
        )
        for depth, (row, born) in enumerate(found, start)
    ]


def message_value(
    view: ThreadHistory,
    row: MessageRow,
    sourced: SourcedEvent | None = None,
    siblings: tuple[int, int] | None = None,
) -> Message:
    """Return a message as users see it; the event that added it and its siblings may be given."""
    sourced = sourced or view.born(row)
    siblings = siblings or tree.sibling_position(view, row)
    place, born = row.place, sourced.event
    hop = 0 if place is None else place.hop
    content, erased = born.content, born.content is None
    if row.changed is not None:
        content, erased = _wording(born, [one.event for one in view.wordings(row)])
    said = _NOTHING if content is None else content
    original, fields = born.data.original_created_at_us, _FIELDS.copy()
    parent, replaces, run = row.parent_id, row.replaces, row.run_id
    fields["id"] = "msg_" + row.message_id.hex()
    fields["thread_id"] = "thread_" + view.thread_id.hex()
    fields["parent_id"] = None if parent is None else "msg_" + parent.hex()
    fields["role"] = row.role
    parts = said.parts
    if len(parts) == 1 and isinstance(text := parts[0], str):  # the usual case
        fields["content"] = (trusted(TextPart, {"type": "text", "text": text}),)
        fields["text"] = text
    else:
        fields["content"] = from_stored(parts)
        fields["text"] = "".join([part for part in parts if isinstance(part, str)])
    fields["provider"] = None if said.provider is None else form_from_stored(said.provider)
    fields["name"] = said.name
    fields["status"] = row.status
    fields["created_at"] = instant(born.recorded_at_us)
    fields["original_created_at"] = None if original is None else instant(original)
    fields["version"] = row.version
    fields["revision"] = row.revision
    fields["sibling_index"] = siblings[0] + 1
    fields["sibling_count"] = siblings[1]
    fields["replaces"] = None if replaces is None else "msg_" + replaces.hex()
    fields["origin"] = _origin(sourced.thread_id, row) if hop else None
    fields["run_id"] = None if run is None else "run_" + run.hex()
    fields["actor"] = born.actor
    fields["external_id"] = said.external_id
    fields["metadata"] = said.metadata or {}
    fields["removed"] = row.removed is not None
    fields["erased"] = erased
    return trusted(Message, fields)


def _origin(owner: bytes, row: MessageRow) -> Origin:
    return Origin(thread_id=ids.show(ids.THREAD, owner), version=row.version)


def _wording(born: Event, changes: Sequence[Event]) -> tuple[e.MessageContent, bool]:
    """Return a message's content with later events folded over it, and whether it was erased.

    An erased message that is renamed or amended later has words again.
    """
    first: e.MessageContent = born.content or _NOTHING
    words: e.MessageContent | e.AmendedContent | None = born.content
    metadata, name = first.metadata, first.name
    for change in changes:
        if change.type == "MessageAmended":
            words = change.content
        elif isinstance(change.content, e.MessageDetails):
            metadata = metadata if change.content.metadata is UNSET else change.content.metadata
            name = name if change.content.name is UNSET else change.content.name
        elif change.type == "MessageUpdated":  # erased: those before it do not come back
            metadata = None if "metadata" in change.data.fields else metadata
            name = None if "name" in change.data.fields else name
    latest = _NOTHING if words is None else words
    said = e.MessageContent(
        parts=latest.parts,
        provider=latest.provider,
        metadata=metadata,
        name=name,
        external_id=first.external_id,
    )
    return said, words is None


def revisions(view: ThreadHistory, row: MessageRow) -> list[Revision]:
    """Return every wording of a message, oldest first."""
    born = view.born(row)
    changes = view.changes(row) if row.changed is not None else []
    amended = [change for change in changes if change.event.type == "MessageAmended"]
    return [_revision(number, one.event) for number, one in enumerate([born, *amended])]


def _revision(number: int, event: Event) -> Revision:
    said = _NOTHING if event.content is None else event.content
    value = Revision.model_validate(
        {
            "revision": number,
            "content": from_stored(said.parts) if said.parts else (),
            "text": "",
            "provider": form_from_stored(said.provider),
            "version": event.version,
            "created_at": instant(event.recorded_at_us),
            "actor": event.actor,
            "erased": event.content is None,
        }
    )
    return value.model_copy(update={"text": text_of(value.content)})


# -- results of commands, from the state right after them ------------------------------------------


def this_thread(view: ThreadHistory, _: object, __: object) -> Thread:
    return thread_value(view, thread_row(view))


def new_message(view: ThreadHistory, _: object, events: Sequence[Event]) -> Message:
    """Return the last message that the command added; those from the queue come before it."""
    last = events[-1]
    born = last if last.type in _BORN else next(e for e in reversed(events) if e.type in _BORN)
    return message_value(view, message_row(view, born.data.message_id))


def target_message(view: ThreadHistory, command: _OnMessage, _: object) -> Message:
    return message_value(view, message_row(view, command.target))


def branch_value(view: ThreadHistory, row: MessageRow, label: str | None) -> Branch:
    """Return the branch that ends at a message."""
    return Branch(
        leaf_id=ids.show(ids.MESSAGE, row.message_id),
        label=label,
        active=thread_row(view).head == row.message_id,
        depth=0 if row.place is None else row.place.depth,
    )


def selected_branch(view: ThreadHistory, _: object, __: object) -> Branch:
    return _branch(view, thread_row(view).head or b"")


def labelled_branch(view: ThreadHistory, command: _OnMessage, _: object) -> Branch:
    return _branch(view, command.target)


def _branch(view: ThreadHistory, message_id: bytes) -> Branch:
    """Return a branch with its stored label: a repeat may name a label that was erased since."""
    return branch_value(view, message_row(view, message_id), view.label_of(message_id))


def no_result(_: object, __: object, ___: object) -> None:
    """Return nothing: the certificate of an erasure spans threads; see ``privacy``."""

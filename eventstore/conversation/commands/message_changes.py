"""Commands that change messages which stand in the tree: amend, update, remove, restore."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from msgspec import UNSET, UnsetType

from eventstore.conversation import events as e
from eventstore.conversation import tree
from eventstore.conversation.commands import queue
from eventstore.conversation.commands.base import Command, Draft
from eventstore.conversation.commands.checks import (
    changeable_message,
    decided,
    living_thread,
    some_message,
    writable_thread,
)
from eventstore.conversation.commands.messages import pairing, unasked
from eventstore.conversation.commands.thread_command import NewId, ThreadCommand
from eventstore.conversation.present import target_message
from eventstore.conversation.rows import MessageRow
from eventstore.conversation.values import Message
from eventstore.conversation.view import ThreadView
from eventstore.core.events import Decided
from eventstore.errors import Refused

__all__ = ["MESSAGE_CHANGES", "AmendMessage", "RemoveMessage", "RestoreMessage", "UpdateMessage"]

C = TypeVar("C", bound="AmendMessage | UpdateMessage | RemoveMessage | RestoreMessage")

# ruff: noqa: D101 (each command is explained by the method of the store that makes it)


class AmendMessage(Command[Message], frozen=True):
    target: bytes
    draft: Draft


def amend(view: ThreadView, command: AmendMessage, _: NewId) -> list[Decided]:
    """Decide corrected content of the same message; its tool calls and results must stay."""
    writable_thread(view)
    row = changeable_message(view, command.target)
    parent = None if row.parent_id is None else some_message(view, row.parent_id)
    if pairing(parent, command.draft) != row.open_calls or unasked(parent, command.draft):
        raise Refused(
            "calls_changed",
            "amending may not add, drop or rename tool calls or results",
            "Edit or regenerate the message instead: that makes a sibling.",
        )
    data = e.MessageAmended(message_id=command.target)
    content = e.AmendedContent(parts=command.draft.parts, provider=command.draft.provider)
    return [decided(data, content)]


class UpdateMessage(Command[Message], frozen=True):
    target: bytes
    metadata: dict[str, Any] | UnsetType | None = UNSET
    name: str | UnsetType | None = UNSET


def update(view: ThreadView, command: UpdateMessage, _: NewId) -> list[Decided]:
    """Decide new metadata or another name."""
    living_thread(view)
    changeable_message(view, command.target)
    given = {"metadata": command.metadata, "name": command.name}
    fields = tuple(field for field, value in given.items() if value is not UNSET)
    data = e.MessageUpdated(message_id=command.target, fields=fields)
    return [decided(data, e.MessageDetails(metadata=command.metadata, name=command.name))]


class RemoveMessage(Command[Message], frozen=True):
    target: bytes


def remove(view: ThreadView, command: RemoveMessage, _: NewId) -> list[Decided]:
    """Decide to hide a message and all below it; if they hold the head, it moves to the parent."""
    thread = writable_thread(view)
    row = changeable_message(view, command.target)
    head = None if thread.head is None else some_message(view, thread.head).place
    moved = row.place is not None and head is not None and tree.on_path(view, row.place, head)
    data = e.MessageRemoved(
        message_id=command.target, head=row.parent_id if moved else None, head_moved=moved
    )
    return [decided(data)]


class RestoreMessage(Command[Message], frozen=True):
    target: bytes


def restore(view: ThreadView, command: RestoreMessage, new_id: NewId) -> list[Decided]:
    """Decide to restore a removed message; no event if it is not removed.

    If the removal moved the head, the head returns to its old place below the message, unless
    another branch was selected since.
    """
    thread = writable_thread(view)
    row = some_message(view, command.target)
    if row.removed is None:
        return []
    if row.place is None:
        back = decided(e.MessageRestored(message_id=command.target))
        return [back, *queue.let_in(view, row, new_id)]
    leaf = None
    if row.took_head and thread.head == row.parent_id:
        leaf = _was_active(view, row)
    data = e.MessageRestored(message_id=command.target, head=leaf, head_moved=leaf is not None)
    return [decided(data)]


def _was_active(view: ThreadView, row: MessageRow) -> bytes | None:
    """Return the leaf below a removed message if its parent still points at it."""
    assert row.place is not None  # noqa: S101 (asked by the caller)
    parent = tree.parent_place(view, row.place)
    point = view.branch_point(parent)
    active = None if point is None else point.active
    if (active or parent[:2]) != row.place[:2]:
        return None
    leaf = view.message_at(tree.leaf_below(view, row.place))
    return None if leaf is None else leaf.message_id


def _declared(
    command: type[C], decide: Callable[[ThreadView, C, NewId], list[Decided]], leads_to: str
) -> ThreadCommand[C, Message]:
    about = "message_id", "target"
    return ThreadCommand(command, decide, target_message, (leads_to,), about)


MESSAGE_CHANGES: Final = (
    _declared(AmendMessage, amend, "MessageAmended"),
    _declared(UpdateMessage, update, "MessageUpdated"),
    _declared(RemoveMessage, remove, "MessageRemoved"),
    _declared(RestoreMessage, restore, "MessageRestored"),
)

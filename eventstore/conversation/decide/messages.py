"""Decides messages: create, edit, regenerate, amend, update, remove, restore.

Editing and regenerating add a **sibling** and change no message; amending corrects a message in
place and keeps every earlier revision readable.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType

from eventstore.conversation import commands as c
from eventstore.conversation import events as e
from eventstore.conversation import tree
from eventstore.conversation.content import check_role_of_tools
from eventstore.conversation.decide import queue
from eventstore.conversation.decide.common import (
    NewId,
    changeable_message,
    check_calls,
    check_new_message_id,
    decided,
    draft_content,
    living_thread,
    placed_message,
    some_message,
    thread_text,
    writable_thread,
)
from eventstore.conversation.decide.holding import writing_run
from eventstore.conversation.decide.showing import check_follows_shown
from eventstore.conversation.rows import MessageRow
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
from eventstore.core.events import Decided
from eventstore.errors import InvalidInput, Refused

__all__ = ["amend", "create", "edit", "regenerate", "remove", "restore", "update"]


def create(view: ThreadView, command: c.CreateMessage, new_id: NewId) -> list[Decided]:
    """Decide a message: under the parent it names, under its run's last message, or at the head.

    At the head of a busy thread ``on_busy`` selects: queue it, refuse it, or end the run.
    """
    thread = writable_thread(view)
    if command.message_id is not None:
        check_new_message_id(view, command.message_id)
    message_id = command.message_id or new_id()
    if command.run_id is not None:
        return [_of_run(view, command, message_id, command.run_id)]
    if not isinstance(command.parent_id, UnsetType):
        return [_added(view, command, message_id, command.parent_id, joined=False)]
    if not thread.open_runs:
        return [_added(view, command, message_id, thread.head, joined=False)]
    before, head = queue.make_way(view, command.on_busy)
    if before is None:
        return [_queued(view, command, message_id)]
    return [*before, _added(view, command, message_id, head, joined=True)]


def _added(
    view: ThreadView,
    command: c.CreateMessage,
    message_id: bytes,
    parent_id: bytes | None,
    *,
    joined: bool,
) -> Decided:
    """Decide the event that adds it. ``joined``: the same decision adds the parent."""
    draft = command.draft
    if joined:
        _check_plain(draft, "interrupts a run")
    else:
        parent = None if parent_id is None else placed_message(view, parent_id)[0]
        if draft.calls or draft.answers:
            check_calls(parent, draft.calls, draft.answers)
    data = e.MessageAdded(
        message_id=message_id,
        role=command.role,
        parent_id=parent_id,
        select=command.select,
        status=command.status,
        calls=draft.calls,
        answers=draft.answers,
        original_created_at_us=draft.original_created_at_us,
    )
    return decided(data, draft_content(draft))


def _of_run(
    view: ThreadView, command: c.CreateMessage, message_id: bytes, run_id: bytes
) -> Decided:
    """Decide a run's own message: it attaches to the run's last one, never to the head."""
    run = writing_run(view, run_id, command.fence)
    if command.parent_id is not UNSET and command.parent_id != run.last_message:
        raise InvalidInput(
            "parent_id", "a run's messages attach to its last message", "Leave parent_id out."
        )
    parent = None if run.last_message is None else placed_message(view, run.last_message)[0]
    draft = command.draft
    check_calls(parent, draft.calls, draft.answers)
    check_follows_shown(view, run, command.message_id, draft.parts)
    data = e.MessageAdded(
        message_id=message_id,
        role=command.role,
        parent_id=run.last_message,
        select=command.select and living_thread(view).head == run.last_message,
        status=command.status,
        run_id=run_id,
        calls=draft.calls,
        answers=draft.answers,
        original_created_at_us=draft.original_created_at_us,
    )
    return decided(data, draft_content(draft))


def _queued(view: ThreadView, command: c.CreateMessage, message_id: bytes) -> Decided:
    draft = command.draft
    _check_waiting(view, draft, plain=command.select and command.status == "completed")
    data = e.MessageQueued(
        message_id=message_id,
        role=command.role,
        original_created_at_us=draft.original_created_at_us,
    )
    return decided(data, draft_content(draft))


def _check_waiting(view: ThreadView, draft: c.Draft, *, plain: bool) -> None:
    _check_plain(draft, f"would wait in the queue of {thread_text(view)}, which is busy")
    if not plain:
        raise Refused(
            "thread_busy",
            f"{thread_text(view)} is busy, so this message would have to wait, and a waiting"
            " message must be complete and selected",
            "Give parent_id=, or leave select and status at their defaults.",
        )


def _check_plain(draft: c.Draft, situation: str) -> None:
    if draft.calls or draft.answers:
        raise Refused(
            "thread_busy",
            f"a message with tool calls or results {situation}",
            "Give run_id= for a run's own message, parent_id= to choose a place, "
            "or hand results to runs.submit_tool_outputs().",
        )


def edit(view: ThreadView, command: c.EditMessage, new_id: NewId) -> list[Decided]:
    """Decide "change the prompt and ask again": a new message, sibling of the one it replaces.

    A queued message was not sent yet: the new message takes its place in the queue.
    """
    row = view.message(command.target)
    if row is not None and row.status == "queued":
        return [_queued_instead(view, command, new_id)]
    data = e.MessageEdited(**_sibling(view, command, new_id))
    return [decided(data, draft_content(command.draft))]


def _queued_instead(view: ThreadView, command: c.EditMessage, new_id: NewId) -> Decided:
    writable_thread(view)
    check_new_message_id(view, command.message_id)
    target = changeable_message(view, command.target)
    check_role_of_tools(target.role, command.draft.calls, command.draft.answers)
    _check_waiting(view, command.draft, plain=command.select)
    data = e.MessageQueued(
        message_id=command.message_id or new_id(),
        role=target.role,
        replaces=command.target,
        sent=target.waits_since,
    )
    return decided(data, draft_content(command.draft))


def regenerate(view: ThreadView, command: c.RegenerateMessage, new_id: NewId) -> list[Decided]:
    """Decide another answer: a new message, sibling of the answer it replaces."""
    if command.run_id is not None:
        run = writing_run(view, command.run_id, command.fence)
        check_follows_shown(view, run, command.message_id, command.draft.parts)
    fields = _sibling(view, command, new_id)
    if fields["role"] != "assistant":
        raise Refused(
            "not_an_answer",
            f"{ids.show(ids.MESSAGE, command.target)} is a {fields['role']} message",
            "Regenerate an assistant's message; use edit() for other roles.",
        )
    data = e.MessageRegenerated(**fields, run_id=command.run_id, status=command.status)
    return [decided(data, draft_content(command.draft))]


def _sibling(
    view: ThreadView, command: c.EditMessage | c.RegenerateMessage, new_id: NewId
) -> dict[str, Any]:
    """Return the fields of an edit or a regeneration: parent and role are those of its target."""
    writable_thread(view)
    check_new_message_id(view, command.message_id)
    target, _ = placed_message(view, command.target)
    parent = None if target.parent_id is None else some_message(view, target.parent_id)
    draft = command.draft
    check_role_of_tools(target.role, draft.calls, draft.answers)
    check_calls(parent, draft.calls, draft.answers)
    return {
        "message_id": command.message_id or new_id(),
        "role": target.role,
        "parent_id": target.parent_id,
        "replaces": command.target,
        "select": command.select,
        "calls": draft.calls,
        "answers": draft.answers,
        "original_created_at_us": draft.original_created_at_us,
    }


def amend(view: ThreadView, command: c.AmendMessage, _: NewId) -> list[Decided]:
    """Decide corrected content of the same message; its tool calls and results must stay."""
    writable_thread(view)
    row = changeable_message(view, command.target)
    parent = None if row.parent_id is None else some_message(view, row.parent_id)
    if _pairing(parent, command.draft) != row.open_calls or _unasked(parent, command.draft):
        raise Refused(
            "calls_changed",
            "amending may not add, drop or rename tool calls or results",
            "Edit or regenerate the message instead: that makes a sibling.",
        )
    data = e.MessageAmended(message_id=command.target)
    content = e.AmendedContent(parts=command.draft.parts, provider=command.draft.provider)
    return [decided(data, content)]


def _pairing(parent: MessageRow | None, draft: c.Draft) -> tuple[str, ...]:
    before = () if parent is None else parent.open_calls
    return tuple(call for call in before if call not in draft.answers) + draft.calls


def _unasked(parent: MessageRow | None, draft: c.Draft) -> bool:
    """Return whether a result answers no open call, which :func:`_pairing` does not show."""
    return not set(draft.answers) <= set(() if parent is None else parent.open_calls)


def update(view: ThreadView, command: c.UpdateMessage, _: NewId) -> list[Decided]:
    """Decide new metadata or another name."""
    living_thread(view)
    changeable_message(view, command.target)
    given = {"metadata": command.metadata, "name": command.name}
    fields = tuple(field for field, value in given.items() if value is not UNSET)
    data = e.MessageUpdated(message_id=command.target, fields=fields)
    return [decided(data, e.MessageDetails(metadata=command.metadata, name=command.name))]


def remove(view: ThreadView, command: c.RemoveMessage, _: NewId) -> list[Decided]:
    """Decide to hide a message and all below it; if they hold the head, it moves to the parent."""
    thread = writable_thread(view)
    row = changeable_message(view, command.target)
    head = None if thread.head is None else some_message(view, thread.head).place
    moved = row.place is not None and head is not None and tree.on_path(view, row.place, head)
    data = e.MessageRemoved(
        message_id=command.target, head=row.parent_id if moved else None, head_moved=moved
    )
    return [decided(data)]


def restore(view: ThreadView, command: c.RestoreMessage, _: NewId) -> list[Decided]:
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
        return [back, *queue.let_in(view, row)]
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

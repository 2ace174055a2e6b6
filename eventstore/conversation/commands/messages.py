"""Commands that add messages: create, edit, regenerate.

Editing and regenerating add a **sibling** and change no message. The commands that change one are
in :mod:`~eventstore.conversation.commands.message_changes`.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET, UnsetType

from eventstore.conversation import events as e
from eventstore.conversation.commands import queue
from eventstore.conversation.commands.base import Command, Draft, OnBusy
from eventstore.conversation.commands.checks import (
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
from eventstore.conversation.commands.closing import check_answered, closed
from eventstore.conversation.commands.holding import writing_run
from eventstore.conversation.commands.showing import check_follows_shown
from eventstore.conversation.commands.thread_command import NewId, ThreadCommand
from eventstore.conversation.content import check_role_of_tools
from eventstore.conversation.present import new_message
from eventstore.conversation.rows import MessageRow, MessageStatus, Role
from eventstore.conversation.values import Message
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
from eventstore.core.events import Decided
from eventstore.errors import InvalidInput, Refused

__all__ = ["MESSAGES", "CreateMessage", "EditMessage", "RegenerateMessage"]

# ruff: noqa: D101 (each command is explained by the method of the store that makes it)


class CreateMessage(Command[Message], frozen=True):
    draft: Draft
    role: Role
    message_id: bytes | None = None
    parent_id: bytes | UnsetType | None = UNSET
    select: bool = True
    status: MessageStatus = "completed"
    run_id: bytes | None = None
    fence: int | None = None
    on_busy: OnBusy = "enqueue"


def create(view: ThreadView, command: CreateMessage, new_id: NewId) -> list[Decided]:
    """Decide a message: under the parent it names, under its run's last message, or at the head.

    At the head of a busy thread ``on_busy`` selects: queue it, refuse it, or end the run.
    """
    thread = writable_thread(view)
    if command.run_id is not None:
        return [_of_run(view, command, command.run_id, new_id)]
    check_new_message_id(view, command.message_id)
    message_id, parent_id = command.message_id or new_id(), command.parent_id
    if isinstance(parent_id, UnsetType):
        if thread.open_runs:
            return _while_busy(view, command, message_id, new_id)
        parent_id = thread.head
    parent = None if parent_id is None else placed_message(view, parent_id)[0]
    check_calls(parent, command.draft.answers)
    return [_added(command, message_id, parent_id, select=command.select)]


def _while_busy(
    view: ThreadView, command: CreateMessage, message_id: bytes, new_id: NewId
) -> list[Decided]:
    if command.on_busy == "enqueue":
        return [_queued(view, command, message_id)]
    before, head = queue.make_way(view, command.on_busy, new_id)
    closing, end = closed(head, new_id)
    _check_plain(command.draft, "interrupts a run")
    added = _added(command, message_id, end.message_id, select=command.select)
    return [*before, *closing, added]


def _added(
    command: CreateMessage, message_id: bytes, parent_id: bytes | None, *, select: bool
) -> Decided:
    draft = command.draft
    data = e.MessageAdded(
        message_id=message_id,
        role=command.role,
        parent_id=parent_id,
        select=select,
        status=command.status,
        run_id=command.run_id,
        calls=draft.calls,
        answers=draft.answers,
        original_created_at_us=draft.original_created_at_us,
    )
    return decided(data, draft_content(draft))


def _of_run(view: ThreadView, command: CreateMessage, run_id: bytes, new_id: NewId) -> Decided:
    """Decide a run's own message: it attaches to the run's last one, never to the head."""
    run = writing_run(view, run_id, command.fence)
    check_new_message_id(view, command.message_id)
    last = run.last_message
    if command.parent_id is not UNSET and command.parent_id != last:
        raise InvalidInput(
            "parent_id", "a run's messages attach to its last message", "Leave parent_id out."
        )
    check_calls(None if last is None else placed_message(view, last)[0], command.draft.answers)
    check_follows_shown(view, run, command.message_id, command.draft.parts)
    select = command.select and living_thread(view).head == last
    return _added(command, command.message_id or new_id(), last, select=select)


def _queued(view: ThreadView, command: CreateMessage, message_id: bytes) -> Decided:
    draft = command.draft
    _check_waiting(view, draft, plain=command.select and command.status == "completed")
    data = e.MessageQueued(
        message_id=message_id,
        role=command.role,
        original_created_at_us=draft.original_created_at_us,
    )
    return decided(data, draft_content(draft))


def _check_waiting(view: ThreadView, draft: Draft, *, plain: bool) -> None:
    _check_plain(draft, f"would wait in the queue of {thread_text(view)}, which is busy")
    if not plain:
        raise Refused(
            "thread_busy",
            f"{thread_text(view)} is busy, so this message would have to wait, and a waiting"
            " message must be complete and selected",
            "Give parent_id=, or leave select and status at their defaults.",
        )


def _check_plain(draft: Draft, situation: str) -> None:
    if draft.calls or draft.answers:
        raise Refused(
            "thread_busy",
            f"a message with tool calls or results {situation}",
            "Give run_id= for a run's own message, parent_id= to choose a place, "
            "or hand results to runs.submit_tool_outputs().",
        )


class EditMessage(Command[Message], frozen=True):
    target: bytes
    draft: Draft
    message_id: bytes | None = None
    select: bool = True


def edit(view: ThreadView, command: EditMessage, new_id: NewId) -> list[Decided]:
    """Decide "change the prompt and ask again": a new message, sibling of the one it replaces.

    A queued message was not sent yet: the new message takes its place in the queue.
    """
    row = view.message(command.target)
    if row is not None and row.status == "queued":
        return [_queued_instead(view, command, new_id)]
    data = e.MessageEdited(**_sibling(view, command, new_id))
    return [decided(data, draft_content(command.draft))]


def _queued_instead(view: ThreadView, command: EditMessage, new_id: NewId) -> Decided:
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


class RegenerateMessage(Command[Message], frozen=True):
    target: bytes
    draft: Draft
    message_id: bytes | None = None
    select: bool = True
    status: MessageStatus = "completed"
    run_id: bytes | None = None
    fence: int | None = None


def regenerate(view: ThreadView, command: RegenerateMessage, new_id: NewId) -> list[Decided]:
    """Decide another answer: a new message, sibling of the answer it replaces."""
    if command.run_id is not None:
        run = writing_run(view, command.run_id, command.fence)
        check_answered(view, run)
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
    view: ThreadView, command: EditMessage | RegenerateMessage, new_id: NewId
) -> dict[str, Any]:
    """Return the fields of an edit or a regeneration: parent and role are those of its target."""
    writable_thread(view)
    check_new_message_id(view, command.message_id)
    target, _ = placed_message(view, command.target)
    parent = None if target.parent_id is None else some_message(view, target.parent_id)
    draft = command.draft
    check_role_of_tools(target.role, draft.calls, draft.answers)
    check_calls(parent, draft.answers)
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


def pairing(parent: MessageRow | None, draft: Draft) -> tuple[str, ...]:
    before = () if parent is None else parent.open_calls
    return tuple(call for call in before if call not in draft.answers) + draft.calls


def unasked(parent: MessageRow | None, draft: Draft) -> bool:
    """Return whether a result answers no open call, which :func:`pairing` does not show."""
    return not set(draft.answers) <= set(() if parent is None else parent.open_calls)


MESSAGES: Final = (
    ThreadCommand(
        CreateMessage,
        create,
        new_message,
        leads_to=(
            "MessageAdded",
            "MessageQueued",
        ),
        mints=("message_id", ids.MESSAGE),
    ),
    ThreadCommand(
        EditMessage,
        edit,
        new_message,
        leads_to=(
            "MessageEdited",
            "MessageQueued",
        ),
        about=("replaces", "target"),
        mints=("message_id", ids.MESSAGE),
    ),
    ThreadCommand(
        RegenerateMessage,
        regenerate,
        new_message,
        leads_to=("MessageRegenerated",),
        about=("replaces", "target"),
        mints=("message_id", ids.MESSAGE),
    ),
)

"""The short way of the commonest command: a plain message below the head.

The rules in ``conversation/`` look for everything that a message may meet: another parent, tool
calls, a queue, branches, a fork. Below the head of a thread where none of this is, three answers
are known without asking, and this module gives them: the event, the rows that it changes, and the
caller's value. That takes ten calls. Anything else goes by the rules.

A law holds that both ways write the same bytes, keep the same view, and return the same value
(``tests/laws/test_plain_messages.py``).
"""

from __future__ import annotations

from typing import Final

from msgspec import UNSET
from msgspec.structs import replace

from eventstore.conversation.commands import CreateMessage
from eventstore.conversation.commands.checks import draft_content
from eventstore.conversation.events import MessageAdded
from eventstore.conversation.present import message_value
from eventstore.conversation.rows import MessageRow, Place
from eventstore.conversation.values import Message
from eventstore.conversation.view import SourcedEvent
from eventstore.core.events import Decided, Event
from eventstore.threads.stored_thread import StoredThread
from eventstore.write_path.requests import NewId

__all__ = ["add_plain", "decide_plain"]

_ALONE: Final = (0, 1)


def decide_plain(
    view: StoredThread, command: CreateMessage, new_id: NewId
) -> tuple[Decided, Place] | None:
    """Return the event of a plain message below the head, and the place where it goes.

    None if the rules must decide the command.
    """
    draft, thread = command.draft, view.thread
    if (
        command.parent_id is not UNSET
        or command.message_id is not None
        or command.run_id is not None
        or not command.select
        or draft.calls
        or draft.answers
        or draft.external_id is not None
        or thread is None
        or thread.deleted
        or thread.archived
        or thread.open_runs
        or (place := view.free_below_head()) is None
    ):
        return None
    data = MessageAdded(
        message_id=new_id(),
        role=command.role,
        parent_id=thread.head,
        status=command.status,
        original_created_at_us=draft.original_created_at_us,
    )
    return Decided("MessageAdded", data, draft_content(draft)), place


def add_plain(view: StoredThread, event: Event, place: Place) -> Message:
    """Change the rows as the event of :func:`decide_plain` does; return the message."""
    thread, data, version = view.thread, event.data, event.version
    assert thread is not None  # noqa: S101 (decided)
    row = MessageRow(data.message_id, version, data.role, place, thread.head, data.status)
    head = data.message_id
    view.put_below_head(
        event,
        row,
        replace(thread, version=version, updated_at_us=event.recorded_at_us, head=head),
    )
    return message_value(view, row, SourcedEvent(view.thread_id, event), _ALONE)

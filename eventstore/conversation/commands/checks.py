"""Checks that several deciders share: the thread exists, the message is visible, the id is new."""

from __future__ import annotations

from eventstore.conversation import tree
from eventstore.conversation.commands.base import Draft
from eventstore.conversation.events import MessageContent
from eventstore.conversation.parts import StoredPart
from eventstore.conversation.rows import MessageRow, Place, ThreadRow
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
from eventstore.core.events import Decided, EventContent, EventData
from eventstore.core.quoting import named, quoted
from eventstore.errors import (
    InvalidInput,
    MessageNotFound,
    Refused,
    ThreadNotFound,
    WrongExpectedHead,
)

__all__ = [
    "changeable_message",
    "check_calls",
    "check_expected_head",
    "check_new_message_id",
    "decided",
    "draft_content",
    "existing_thread",
    "living_thread",
    "placed_message",
    "thread_text",
    "visible_message",
    "writable_thread",
]


def decided(data: EventData, content: EventContent | None = None) -> Decided:
    """Wrap an event's values; its type is the name of its class."""
    return Decided(type(data).__name__, data, content)


def thread_text(view: ThreadView) -> str:
    """Return the thread's id as users see it."""
    return ids.show(ids.THREAD, view.thread_id)


def existing_thread(view: ThreadView) -> ThreadRow:
    """Return the thread's row, deleted or not.

    Raises:
        ThreadNotFound: there is none.
    """
    thread = view.thread
    if thread is None:
        raise ThreadNotFound(thread_text(view))
    return thread


def living_thread(view: ThreadView) -> ThreadRow:
    """Return the thread's row, unless it was deleted.

    Raises:
        ThreadNotFound, Refused: ``"thread_deleted"``.
    """
    thread = existing_thread(view)
    if thread.deleted:
        raise Refused(
            "thread_deleted",
            f"{thread_text(view)} is deleted",
            "Restore it with threads.restore().",
        )
    return thread


def writable_thread(view: ThreadView) -> ThreadRow:
    """Return the row of a thread that takes messages and runs.

    Raises:
        ThreadNotFound, Refused: ``"thread_deleted"``, ``"thread_archived"``.
    """
    thread = view.thread
    if thread is None or thread.deleted:
        thread = living_thread(view)
    if thread.archived:
        raise Refused(
            "thread_archived",
            f"{thread_text(view)} is archived",
            "Unarchive it with threads.unarchive().",
        )
    return thread


def check_expected_head(view: ThreadView, expected: bytes) -> None:
    """Compare the caller's expected head with the thread's; empty bytes expect no head.

    Raises:
        WrongExpectedHead: another writer added a message or selected a branch since.
    """
    actual = existing_thread(view).head
    if actual != (expected or None):
        raise WrongExpectedHead(
            thread_text(view),
            ids.show_or_none(ids.MESSAGE, expected or None),
            ids.show_or_none(ids.MESSAGE, actual),
        )


def some_message(view: ThreadView, message_id: bytes) -> MessageRow:
    """Return a message's row, visible or not.

    Raises:
        MessageNotFound: the thread has none of this id.
    """
    row = view.message(message_id)
    if row is None:
        raise MessageNotFound(ids.show(ids.MESSAGE, message_id), thread_text(view))
    return row


def visible_message(view: ThreadView, message_id: bytes) -> MessageRow:
    """Return the row of a message that is neither removed nor below a removed one.

    Raises:
        MessageNotFound, Refused: ``"message_removed"``.
    """
    row = view.message(message_id) or some_message(view, message_id)
    if row.removed is not None or (row.place is not None and hidden_above(view, row.place)):
        raise Refused(
            "message_removed",
            f"{ids.show(ids.MESSAGE, message_id)} is removed, or follows a removed message",
            "Bring it back with messages.restore(), or name another message.",
        )
    return row


def changeable_message(view: ThreadView, message_id: bytes) -> MessageRow:
    """Return the row of a visible message that was not replaced while it was queued.

    Raises:
        MessageNotFound, Refused: ``"message_removed"``, ``"message_replaced"``.
    """
    row = visible_message(view, message_id)
    if row.status == "replaced":
        raise Refused(
            "message_replaced",
            f"{ids.show(ids.MESSAGE, message_id)} was edited while it was queued",
            "Name the message that replaces it.",
        )
    return row


def hidden_above(view: ThreadView, place: Place) -> bool:
    """Return whether a message on the path down to ``place`` was removed."""
    thread = view.thread
    if thread is None or thread.removed_messages == 0:
        return False
    for stretch in tree.ranges(view, place):
        if stretch.hop:  # all above is inherited, too
            return view.first_inherited_removed(1, stretch.end) is not None
        if view.first_removed(*stretch) is not None:
            return True
    return False


def placed_message(view: ThreadView, message_id: bytes) -> tuple[MessageRow, Place]:
    """Return the row and place of a visible message that is in the tree.

    Raises:
        MessageNotFound, Refused: ``"message_removed"``, ``"message_replaced"``,
            ``"message_queued"``.
    """
    found, thread = view.message(message_id), view.thread
    if found is None or thread is None or thread.removed_messages or found.removed is not None:
        found = changeable_message(view, message_id)
    if found.place is None:
        changeable_message(view, message_id)  # one that was replaced is refused as such
        raise Refused(
            "message_queued",
            f"{ids.show(ids.MESSAGE, message_id)} waits for a run and is not in the tree yet",
            "Edit it, amend it, remove it, or wait.",
        )
    return found, found.place


def check_new_message_id(view: ThreadView, message_id: bytes | None) -> None:
    """Refuse a caller's own id that exists in the thread or in the path that it inherits.

    Raises:
        InvalidInput: on ``message_id``.
    """
    if message_id is not None and view.message(message_id) is not None:
        raise InvalidInput(
            "message_id",
            f"{ids.show(ids.MESSAGE, message_id)} is in use in {thread_text(view)}",
            "Leave it out, or give a new UUID; put your own names into external_id.",
        )


def _calls_open(row: MessageRow) -> Refused:
    """Return the refusal of anything but results behind a message with open tool calls."""
    return Refused(
        "open_tool_calls",
        f"{ids.show(ids.MESSAGE, row.message_id)} waits for the results of its tool calls: "
        f"{', '.join(map(named, row.open_calls))}",
        "Record a result for each first, with role='tool'. To give the calls of a run up, "
        "end it with runs.cancel() or runs.fail().",
    )


def check_calls(parent: MessageRow | None, answers: tuple[str, ...]) -> None:
    """Check a message's tool results against the open calls at its place.

    Raises:
        Refused: ``"call_not_open"`` or ``"open_tool_calls"``.
    """
    open_calls = () if parent is None else parent.open_calls
    if not answers:
        if parent is not None and open_calls:
            raise _calls_open(parent)
        return
    for answer in answers:
        if answer not in open_calls:
            raise Refused(
                "call_not_open",
                f"call_id ({quoted(answer)}) matches no open tool call on this path: "
                "the call was never made here, or it already has its result",
                f"Open calls: {', '.join(map(named, open_calls)) or 'none'}. "
                "Use parent_id= to attach the result to a message that follows its call.",
            )


def draft_content(draft: Draft) -> MessageContent:
    """Return the content event of a draft."""
    parts: list[StoredPart] = draft.parts
    return MessageContent(
        parts=parts,
        metadata=draft.metadata or None,
        name=draft.name,
        external_id=draft.external_id,
        provider=draft.provider,
    )

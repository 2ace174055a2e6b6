"""Closes tool calls that nobody will answer: a recorded result for each, directly behind the call.

Model APIs accept a call only with its result right behind it. So a message under an open call is a
result (``checks.check_calls``), and a path that is left, or gone on from, is closed first.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from eventstore.conversation import events as e
from eventstore.conversation.commands.checks import check_calls, decided, some_message
from eventstore.conversation.commands.thread_command import NewId
from eventstore.conversation.rows import RunRow
from eventstore.conversation.view import ThreadView
from eventstore.core.events import Decided

__all__ = ["End", "Outcome", "check_answered", "closed", "closed_by", "end_at"]

Outcome: TypeAlias = Literal["cancelled", "failed"]


class End(NamedTuple):
    """The end of a path: a message that the thread has, or one that the same decision adds."""

    message_id: bytes | None
    open_calls: tuple[str, ...] = ()


def end_at(view: ThreadView, message_id: bytes | None) -> End:
    """Return the end of the path to a message that the thread has, visible or not."""
    return End(message_id, some_message(view, message_id).open_calls if message_id else ())


def check_answered(view: ThreadView, run: RunRow) -> None:
    """Refuse to go on behind the last message of a run while its calls are open.

    Raises:
        Refused: ``"open_tool_calls"``.
    """
    if run.last_message is not None:
        check_calls(some_message(view, run.last_message), ())


def closed(
    end: End,
    new_id: NewId,
    *,
    outcome: Outcome = "cancelled",
    run_id: bytes | None = None,
    select: bool = True,
) -> tuple[list[Decided], End]:
    """Return the results that close the calls open at the end of a path, and its new end."""
    events, last = [], end.message_id
    for call in end.open_calls:
        message_id = new_id()
        data = e.MessageAdded(
            message_id=message_id,
            role="tool",
            parent_id=last,
            select=select,
            run_id=run_id,
            answers=(call,),
        )
        result = {"type": "tool_result", "call_id": call, "status": outcome}
        events.append(decided(data, e.MessageContent(parts=[result])))
        last = message_id
    return events, End(last)


def closed_by(
    view: ThreadView, run: RunRow, head: End, new_id: NewId, outcome: Outcome
) -> tuple[list[Decided], End]:
    """Return the results of the calls that a run leaves open, and the head, which follows them.

    They are written even below a message that was removed, so that restoring it brings back no open
    call.
    """
    follows = head.message_id == run.last_message
    end = end_at(view, run.last_message)
    events, last = closed(end, new_id, outcome=outcome, run_id=run.run_id, select=follows)
    return events, last if follows else head

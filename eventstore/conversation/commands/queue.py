"""Decides which messages wait while a thread is busy, and which join next.

A thread is busy while one of its runs has not ended. Messages sent meanwhile are queued. When a run
ends, the messages sent before the next queued run join the tree, each under the current head, in
the order they were sent. The version of the event that queued a message gives this order, never a
clock; a message that was edited in the queue keeps its place.
"""

from __future__ import annotations

from collections.abc import Collection

from eventstore.conversation import events as e
from eventstore.conversation.commands.base import OnBusy
from eventstore.conversation.commands.checks import (
    decided,
    hidden_above,
    living_thread,
    some_message,
    thread_text,
)
from eventstore.conversation.commands.closing import End, Outcome, closed, closed_by, end_at
from eventstore.conversation.commands.showing import kept
from eventstore.conversation.commands.thread_command import NewId
from eventstore.conversation.rows import MessageRow, RunRow
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
from eventstore.core.events import Decided
from eventstore.errors import Refused

__all__ = ["cancelled", "drained", "left_by", "let_in", "make_way"]


def make_way(view: ThreadView, on_busy: OnBusy, new_id: NewId) -> tuple[list[Decided], End]:
    """Return the events that free a busy thread, and its head afterwards.

    Raises:
        Refused: ``"thread_busy"``, if the caller chose ``"reject"``.
    """
    runs = view.open_runs()
    if on_busy == "reject":
        raise Refused(
            "thread_busy",
            f"{thread_text(view)} is busy with {ids.show(ids.RUN, runs[0].run_id)}",
            "Wait for the run to end, or choose on_busy='enqueue', 'interrupt' or 'rollback'.",
        )
    events: list[Decided] = []
    head = end_at(view, living_thread(view).head)
    for run in runs:
        left, head = left_by(view, run, head, new_id, "cancelled")
        events += [*left, *cancelled(run)]
    first = runs[0]
    if on_busy == "rollback" and first.started:
        start = _visible_from(view, first.started_head)
        if start != head.message_id:
            head = end_at(view, start)
            events.append(decided(e.BranchSelected(requested=start, head=start)))
    joined, head = drained(view, [run.run_id for run in runs], head, new_id)
    return [*events, *joined], head


def _visible_from(view: ThreadView, message_id: bytes | None) -> bytes | None:
    """Return a message, or the nearest one above it that was not removed meanwhile."""
    while message_id is not None:
        row = some_message(view, message_id)
        if row.place is None or not hidden_above(view, row.place):
            return message_id
        message_id = row.parent_id
    return None


def cancelled(run: RunRow) -> list[Decided]:
    """Return the events that cancel a run at once."""
    ended = decided(e.RunCancelled(run_id=run.run_id))
    if run.status in {"queued", "cancelling"}:
        return [ended]
    return [decided(e.RunCancelling(run_id=run.run_id)), ended]


def left_by(
    view: ThreadView, run: RunRow, head: End, new_id: NewId, outcome: Outcome
) -> tuple[list[Decided], End]:
    """Return the events that finish the messages of a run that ends, and the head afterwards.

    The text that it shows is kept, and its open calls are closed. It never has both.
    """
    shown, head = kept(view, run, head)
    closing, head = closed_by(view, run, head, new_id, outcome)
    return [*shown, *closing], head


def drained(
    view: ThreadView, ended: Collection[bytes], head: End, new_id: NewId
) -> tuple[list[Decided], End]:
    """Return the events that add the next messages once ``ended`` runs are over, and the head."""
    remaining = [run.version for run in view.open_runs() if run.run_id not in ended]
    until = min(remaining, default=None)
    events: list[Decided] = []
    for message in view.queued_messages():
        if until is not None and message.waits_since > until:
            break
        events += _joining(message, head, new_id)
        head = End(message.message_id)
    return events, head


def let_in(view: ThreadView, message: MessageRow, new_id: NewId) -> list[Decided]:
    """Return the events that add a restored queued message, if its turn has passed.

    A run in progress prevents this: the message would come between the run's own messages.
    """
    runs = view.open_runs()
    if runs and (runs[0].started or runs[0].version < message.waits_since):
        return []
    return _joining(message, end_at(view, living_thread(view).head), new_id)


def _joining(message: MessageRow, head: End, new_id: NewId) -> list[Decided]:
    """Return the event that adds a message under the head, whose open calls are closed first."""
    closing, end = closed(head, new_id)
    joins = e.MessageAdded(
        message_id=message.message_id,
        role=message.role,
        parent_id=end.message_id,
        queued_version=message.version,
    )
    return [*closing, decided(joins)]

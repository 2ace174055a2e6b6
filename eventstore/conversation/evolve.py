"""``evolve(view, event) -> rows``: returns the rows that an event changes, with their new values.

Only this module defines the effect of events on the state. The folded state and the decision tables
both store the rows that it returns, so they cannot drift apart. ``evolve`` copies the values that
the event resolved (a head, a parent) and never decides again. Every function here is one entry of
:data:`_EVOLVERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from msgspec.structs import replace

from eventstore.conversation import events as e
from eventstore.conversation import tree
from eventstore.conversation.history import saying
from eventstore.conversation.rows import (
    ROOT,
    ForkPoint,
    LabelRow,
    MessageRow,
    Place,
    Row,
    RunRow,
    StepRow,
    ThreadRow,
    TouchRow,
)
from eventstore.conversation.run_lifecycle import MOVES, TERMINAL
from eventstore.conversation.view import ThreadView
from eventstore.core.events import Event

__all__ = ["evolve"]

_Evolver: TypeAlias = Callable[[ThreadView, Any, Event], list[Row]]


def evolve(view: ThreadView, event: Event) -> list[Row]:
    """Return the rows that ``event`` changes; the thread's own row is always the last."""
    rows = _EVOLVERS[event.type](view, event.data, event)
    last = rows[-1] if rows else None
    thread = rows.pop() if isinstance(last, ThreadRow) else _thread(view)
    rows.append(replace(thread, version=event.version, updated_at_us=event.recorded_at_us))
    return rows


def _thread(view: ThreadView) -> ThreadRow:
    row = view.thread
    if row is None:
        message = "the first event of a thread is ThreadCreated or ThreadForked"
        raise LookupError(message)
    return row


def _message(view: ThreadView, message_id: bytes) -> MessageRow:
    row = view.message(message_id)
    if row is None:
        message = f"an event names message {message_id.hex()}, which the thread does not have"
        raise LookupError(message)
    return row


def _head_place(view: ThreadView) -> Place | None:
    head = _thread(view).head
    return None if head is None else _message(view, head).place


# -- life of the thread ----------------------------------------------------------------------------


def _created(view: ThreadView, _: object, event: Event) -> list[Row]:
    now = event.recorded_at_us
    return [ThreadRow(view.thread_id, event.version, event.position, now, now)]


def _forked(view: ThreadView, data: e.ThreadForked, event: Event) -> list[Row]:
    now = event.recorded_at_us
    place = Place(data.hop, data.segment, data.depth)
    fork = ForkPoint(data.source_id, data.message_id, place, data.source_version)
    row = ThreadRow(view.thread_id, event.version, event.position, now, now)
    return [replace(row, head=data.message_id, fork=fork)]


def _updated(view: ThreadView, _: object, event: Event) -> list[Row]:
    return [TouchRow(view.thread_id, event.version), replace(_thread(view), changed=True)]


def _marked(**changes: bool) -> _Evolver:
    def mark(view: ThreadView, _: object, event: Event) -> list[Row]:
        return [TouchRow(view.thread_id, event.version), replace(_thread(view), **changes)]

    return mark


# -- messages --------------------------------------------------------------------------------------


def _born(view: ThreadView, data: e.MessageAdded | e.MessageEdited, event: Event) -> list[Row]:
    thread = view.thread or _thread(view)
    parent = None if data.parent_id is None else _message(view, data.parent_id)
    above = ROOT if parent is None else parent.place or ROOT
    place, rows = tree.child_rows(view, above, event.version, active=data.select)
    queued_version = data.queued_version if isinstance(data, e.MessageAdded) else None
    inherited = () if parent is None else parent.open_calls
    row = MessageRow(
        message_id=data.message_id,
        version=event.version,
        role=data.role,
        place=place,
        parent_id=data.parent_id,
        status=data.status,
        queued_version=queued_version,
        replaces=None if isinstance(data, e.MessageAdded) else data.replaces,
        run_id=data.run_id,
        open_calls=_still_open(inherited, data.calls, data.answers)
        if data.calls or data.answers
        else inherited,
    )
    if queued_version is not None:
        waiting = _message(view, data.message_id)
        kept = {"changed": waiting.changed, "revision": waiting.revision, "said": waiting.said}
        row = replace(row, replaces=waiting.replaces, **kept)
        thread = replace(thread, queued_messages=thread.queued_messages - 1)
    if data.run_id is not None:
        rows.append(_run_wrote(_run(view, data.run_id), data))
    if data.select:
        if parent is None or parent.message_id != thread.head:
            rows += tree.head_move_rows(view, _head_place(view), above)
        thread = replace(thread, head=data.message_id)
    return [*rows, row, thread]


def _run_wrote(run: RunRow, data: e.MessageBorn) -> RunRow:
    writing = None if run.writing == data.message_id else run.writing
    if isinstance(data, e.MessageAdded) and data.interrupted:  # its step is asked again beside it
        return replace(run, writing=writing)
    return replace(run, writing=writing, last_message=data.message_id)


def _begun(view: ThreadView, data: e.MessageBegun, _: Event) -> list[Row]:
    return [replace(_run(view, data.run_id), writing=data.message_id)]


def _still_open(
    before: tuple[str, ...], calls: tuple[str, ...], answers: tuple[str, ...]
) -> tuple[str, ...]:
    return tuple(call for call in before if call not in answers) + calls


def _queued(view: ThreadView, data: e.MessageQueued, event: Event) -> list[Row]:
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
        old = _message(view, data.replaces)
        replaced = replace(old, status="replaced", sent=None, changed=event.version)
        return [TouchRow(data.replaces, event.version), replaced, row]
    thread = _thread(view)
    return [row, replace(thread, queued_messages=thread.queued_messages + 1)]


def _amended(view: ThreadView, data: e.MessageAmended, event: Event) -> list[Row]:
    row = _message(view, data.message_id)
    return [TouchRow(data.message_id, event.version), saying(row, event.version, "words")]


def _message_updated(view: ThreadView, data: e.MessageUpdated, event: Event) -> list[Row]:
    row = _message(view, data.message_id)
    return [TouchRow(data.message_id, event.version), saying(row, event.version, *data.fields)]


def _removed(view: ThreadView, data: e.MessageRemoved, event: Event) -> list[Row]:
    row, thread = _message(view, data.message_id), _thread(view)
    gone = replace(row, removed=event.version, took_head=data.head_moved, changed=event.version)
    rows = [*_touches(view, row, event), gone]
    if row.place is None:
        return [*rows, replace(thread, queued_messages=thread.queued_messages - 1)]
    rows += tree.removal_rows(view, row.place, +1)
    head = data.head if data.head_moved else thread.head
    return [*rows, replace(thread, head=head, removed_messages=thread.removed_messages + 1)]


def _restored(view: ThreadView, data: e.MessageRestored, event: Event) -> list[Row]:
    row, thread = _message(view, data.message_id), _thread(view)
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


# -- branches --------------------------------------------------------------------------------------


def _selected(view: ThreadView, data: e.BranchSelected, _: Event) -> list[Row]:
    place = None if data.head is None else _message(view, data.head).place
    points = tree.head_move_rows(view, _head_place(view), place or ROOT)
    return [*points, replace(_thread(view), head=data.head)]


def _labelled(_: ThreadView, data: e.BranchLabelled, event: Event) -> list[Row]:
    content: e.LabelContent | None = event.content
    label = None if data.cleared or content is None else content.label
    return [TouchRow(data.message_id, event.version), LabelRow(data.message_id, label)]


# -- runs ------------------------------------------------------------------------------------------


def _run(view: ThreadView, run_id: bytes) -> RunRow:
    row = view.run(run_id)
    if row is None:
        message = f"an event names run {run_id.hex()}, which the thread does not have"
        raise LookupError(message)
    return row


def _run_queued(view: ThreadView, data: e.RunQueued, event: Event) -> list[Row]:
    row = RunRow(
        run_id=data.run_id,
        version=event.version,
        status="queued",
        changed=event.version,
        assistant_id=data.assistant_id,
        regenerates=data.regenerates,
        created_position=event.position,
        updated_at_us=event.recorded_at_us,
        queue=data.queue,
    )
    thread = _thread(view)
    return [row, replace(thread, open_runs=thread.open_runs + 1)]


def _run_changed(run: RunRow, event: Event, **changes: Any) -> RunRow:  # noqa: ANN401 (fields)
    return replace(run, changed=event.version, updated_at_us=event.recorded_at_us, **changes)


def _run_moved(view: ThreadView, data: Any, event: Event) -> list[Row]:  # noqa: ANN401 (any run event)
    run, thread = _run(view, data.run_id), _thread(view)
    status = MOVES[run.status][event.type]
    if status in TERMINAL:
        thread = replace(thread, open_runs=thread.open_runs - 1)
    writing = run.writing if status == "cancelling" else None
    moved = _run_changed(run, event, status=status, pending_calls=(), writing=writing)
    return [TouchRow(run.run_id, event.version), moved, thread]


def _run_started(view: ThreadView, data: e.RunStarted, event: Event) -> list[Row]:
    touch, moved, thread = _run_held(view, data, event)
    if not moved.started:  # a run that resumes keeps the head that it started on
        moved = replace(moved, started=True, started_head=data.head, last_message=data.head)
    return [touch, moved, thread]


def _run_held(view: ThreadView, data: e.RunStarted | e.RunTakenOver, event: Event) -> list[Any]:
    """Give a run to a holder, whose writes name the version of this event."""
    touch, moved, thread = _run_moved(view, data, event)
    return [touch, replace(moved, holder=data.holder, fence=event.version), thread]


def _run_taken_over(view: ThreadView, data: e.RunTakenOver, event: Event) -> list[Row]:
    touch, held, thread = _run_held(view, data, event)
    return [touch, replace(held, taken_over=True), thread]


def _action_required(view: ThreadView, data: e.RunActionRequired, event: Event) -> list[Row]:
    touch, run, thread = _run_moved(view, data, event)
    return [touch, replace(run, pending_calls=data.calls), thread]


def _outputs_submitted(view: ThreadView, data: e.ToolOutputsSubmitted, event: Event) -> list[Row]:
    if data.all_in:
        return _run_moved(view, data, event)
    run = _run(view, data.run_id)
    pending = tuple(call for call in run.pending_calls if call not in data.calls)
    touch = TouchRow(run.run_id, event.version)
    return [touch, _run_changed(run, event, pending_calls=pending)]


def _run_updated(view: ThreadView, data: e.RunUpdated, event: Event) -> list[Row]:
    run = _run(view, data.run_id)
    return [TouchRow(run.run_id, event.version), _run_changed(run, event)]


def _step_started(view: ThreadView, data: e.RunStepStarted, event: Event) -> list[Row]:
    run = _run(view, data.run_id)
    return [StepRow(data.step_id, data.run_id, event.version), replace(run, steps=run.steps + 1)]


def _step_ended(status: Any) -> _Evolver:  # noqa: ANN401 (a StepStatus)
    def end(view: ThreadView, data: Any, event: Event) -> list[Row]:  # noqa: ANN401
        step = view.step(data.step_id)
        if step is None:
            message = f"an event names step {data.step_id.hex()}, which the run does not have"
            raise LookupError(message)
        return [TouchRow(data.step_id, event.version), replace(step, status=status)]

    return end


# -- erasing ---------------------------------------------------------------------------------------


def _erased(_: ThreadView, data: e.ContentErased, __: Event) -> list[Row]:
    """Remove the labels: of all rows, only labels hold words. The events lost theirs already."""
    return [LabelRow(message_id, None) for message_id in data.unlabelled]


_EVOLVERS: Final[Mapping[str, _Evolver]] = {
    "ThreadCreated": _created,
    "ThreadForked": _forked,
    "ThreadUpdated": _updated,
    "ThreadArchived": _marked(archived=True),
    "ThreadUnarchived": _marked(archived=False),
    "ThreadDeleted": _marked(deleted=True),
    "ThreadRestored": _marked(deleted=False),
    "MessageBegun": _begun,
    "MessageAdded": _born,
    "MessageEdited": _born,
    "MessageRegenerated": _born,
    "MessageQueued": _queued,
    "MessageAmended": _amended,
    "MessageUpdated": _message_updated,
    "MessageRemoved": _removed,
    "MessageRestored": _restored,
    "BranchSelected": _selected,
    "BranchLabelled": _labelled,
    "RunQueued": _run_queued,
    "RunStarted": _run_started,
    "RunTakenOver": _run_taken_over,
    "RunActionRequired": _action_required,
    "ToolOutputsSubmitted": _outputs_submitted,
    "RunCancelling": _run_moved,
    "RunCancelled": _run_moved,
    "RunCompleted": _run_moved,
    "RunIncomplete": _run_moved,
    "RunFailed": _run_moved,
    "RunExpired": _run_moved,
    "RunUpdated": _run_updated,
    "RunStepStarted": _step_started,
    "RunStepCompleted": _step_ended("completed"),
    "RunStepFailed": _step_ended("failed"),
    "ContentErased": _erased,
}

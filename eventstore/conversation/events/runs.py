"""The events of runs: their data, their content, and the rows that they change."""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from eventstore.conversation.events.base import ErrorContent, Note, Usage
from eventstore.conversation.events.rows import run_row, thread_row
from eventstore.conversation.events.thread_event import ThreadEvent
from eventstore.conversation.rows import (
    ActionReason,
    Row,
    RunRow,
    TouchRow,
)
from eventstore.conversation.run_lifecycle import MOVES, TERMINAL
from eventstore.conversation.view import ThreadView
from eventstore.core.events import Event, EventData

__all__ = [
    "RUNS",
    "RunActionRequired",
    "RunCancelled",
    "RunCancelling",
    "RunCompleted",
    "RunContent",
    "RunDetails",
    "RunExpired",
    "RunFailed",
    "RunIncomplete",
    "RunQueued",
    "RunStarted",
    "RunTakenOver",
    "RunUpdated",
    "ToolOutputsSubmitted",
]

# ruff: noqa: D101 (each event is explained once, in the table of docs/format.md)


class RunQueued(EventData, frozen=True):
    run_id: bytes
    assistant_id: bytes | None = None
    assistant_version: int | None = None
    model: str | None = None
    regenerates: bytes | None = None
    queue: str | None = None


class RunContent(Note, frozen=True):
    instructions: str | None = None
    tools: list[dict[str, Any]] | None = None
    settings: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class RunStarted(EventData, frozen=True):
    run_id: bytes
    head: bytes | None = None
    holder: str | None = None


class RunTakenOver(EventData, frozen=True):
    run_id: bytes
    holder: str | None = None


class RunActionRequired(EventData, frozen=True):
    run_id: bytes
    calls: tuple[str, ...]
    reasons: tuple[ActionReason, ...] = ()
    """One for each call; none at all if outputs are the reason of each."""


class ToolOutputsSubmitted(EventData, frozen=True):
    """The messages that hold the outputs; only they hold the text."""

    run_id: bytes
    message_ids: tuple[bytes, ...]
    calls: tuple[str, ...]
    all_in: bool
    approved: tuple[str, ...] = ()
    """Calls that whoever executes the run may make, or make again: they stay open."""


class RunCancelling(EventData, frozen=True):
    run_id: bytes


class RunCompleted(EventData, frozen=True):
    run_id: bytes
    usage: Usage | None = None


class RunIncomplete(EventData, frozen=True):
    run_id: bytes
    reason: str = "other"
    usage: Usage | None = None


class RunFailed(EventData, frozen=True):
    run_id: bytes
    code: str = "server_error"
    usage: Usage | None = None


class RunCancelled(EventData, frozen=True):
    run_id: bytes


class RunExpired(EventData, frozen=True):
    run_id: bytes


class RunUpdated(EventData, frozen=True):
    run_id: bytes


class RunDetails(Note, frozen=True):
    metadata: dict[str, Any] | UnsetType | None = UNSET


def _run_queued(view: ThreadView, data: RunQueued, event: Event) -> list[Row]:
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
    thread = thread_row(view)
    return [row, replace(thread, open_runs=thread.open_runs + 1)]


def _run_changed(run: RunRow, event: Event, **changes: Any) -> RunRow:  # noqa: ANN401 (fields)
    return replace(run, changed=event.version, updated_at_us=event.recorded_at_us, **changes)


def _run_moved(view: ThreadView, data: Any, event: Event) -> list[Row]:  # noqa: ANN401 (any run event)
    run, thread = run_row(view, data.run_id), thread_row(view)
    status = MOVES[run.status][event.type]
    if status in TERMINAL:
        thread = replace(thread, open_runs=thread.open_runs - 1)
    writing = run.writing if status == "cancelling" else None
    moved = _run_changed(run, event, status=status, pending_calls=(), writing=writing)
    return [TouchRow(run.run_id, event.version), moved, thread]


def _run_started(view: ThreadView, data: RunStarted, event: Event) -> list[Row]:
    touch, moved, thread = _run_held(view, data, event)
    if not moved.started:  # a run that resumes keeps the head that it started on
        moved = replace(moved, started=True, started_head=data.head, last_message=data.head)
    return [touch, moved, thread]


def _run_held(view: ThreadView, data: RunStarted | RunTakenOver, event: Event) -> list[Any]:
    """Give a run to a holder, whose writes name the version of this event."""
    touch, moved, thread = _run_moved(view, data, event)
    return [touch, replace(moved, holder=data.holder, fence=event.version), thread]


def _run_taken_over(view: ThreadView, data: RunTakenOver, event: Event) -> list[Row]:
    touch, held, thread = _run_held(view, data, event)
    return [touch, replace(held, taken_over=True), thread]


def _action_required(view: ThreadView, data: RunActionRequired, event: Event) -> list[Row]:
    touch, run, thread = _run_moved(view, data, event)
    return [touch, replace(run, pending_calls=data.calls), thread]


def _outputs_submitted(view: ThreadView, data: ToolOutputsSubmitted, event: Event) -> list[Row]:
    if data.all_in:
        return _run_moved(view, data, event)
    run = run_row(view, data.run_id)
    settled = (*data.calls, *data.approved)
    pending = tuple(call for call in run.pending_calls if call not in settled)
    touch = TouchRow(run.run_id, event.version)
    return [touch, _run_changed(run, event, pending_calls=pending)]


def _run_updated(view: ThreadView, data: RunUpdated, event: Event) -> list[Row]:
    run = run_row(view, data.run_id)
    return [TouchRow(run.run_id, event.version), _run_changed(run, event)]


RUNS: Final = (
    ThreadEvent(RunQueued, RunContent, evolve=_run_queued, subject="run_id"),
    ThreadEvent(RunStarted, Note, evolve=_run_started, subject="run_id"),
    ThreadEvent(RunTakenOver, Note, evolve=_run_taken_over, subject="run_id"),
    ThreadEvent(RunActionRequired, Note, evolve=_action_required, subject="run_id"),
    ThreadEvent(ToolOutputsSubmitted, Note, evolve=_outputs_submitted, subject="run_id"),
    ThreadEvent(RunCancelling, Note, evolve=_run_moved, subject="run_id"),
    ThreadEvent(RunCancelled, Note, evolve=_run_moved, subject="run_id"),
    ThreadEvent(RunCompleted, Note, evolve=_run_moved, subject="run_id"),
    ThreadEvent(RunIncomplete, Note, evolve=_run_moved, subject="run_id"),
    ThreadEvent(RunFailed, ErrorContent, evolve=_run_moved, subject="run_id"),
    ThreadEvent(RunExpired, Note, evolve=_run_moved, subject="run_id"),
    ThreadEvent(RunUpdated, RunDetails, evolve=_run_updated, subject="run_id"),
)

"""The events of runs: their data, their content, and the rows that they change."""

from __future__ import annotations

from typing import Any, Final, Protocol

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from eventstore.conversation.events.base import ErrorContent, Note, Usage, usage_fact
from eventstore.conversation.events.rows import run_row, thread_row
from eventstore.conversation.events.thread_event import Evolver, ThreadEvent
from eventstore.conversation.facts import (
    FactChange,
    Facts,
    Words,
    facts_of_named,
    shown_id,
    words,
)
from eventstore.conversation.rows import (
    ActionReason,
    Row,
    RunRow,
    TouchRow,
)
from eventstore.conversation.run_lifecycle import MOVES, TERMINAL
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
from eventstore.core.events import Event, EventContent, EventData

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
        subject=event.subject,
    )
    thread = thread_row(view)
    return [row, replace(thread, open_runs=thread.open_runs + 1)]


class _OfRun(Protocol):
    """The data of any event that moves a run on."""

    @property
    def run_id(self) -> bytes: ...


def _run_changed(run: RunRow, event: Event, **changes: object) -> RunRow:
    return replace(run, changed=event.version, updated_at_us=event.recorded_at_us, **changes)


def _run_moved(view: ThreadView, data: _OfRun, event: Event) -> list[Row]:
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


def _queued_facts(_: Facts, data: RunQueued, event: Event, stream: bytes) -> Facts:
    return {
        "status": "queued",
        "assistant_id": shown_id(ids.ASSISTANT, data.assistant_id),
        "assistant_version": data.assistant_version,
        "model": data.model,
        **words(stream, event, "instructions", "tools", "settings", "metadata"),
        "regenerates": shown_id(ids.MESSAGE, data.regenerates),
        "queue": data.queue,
        "holder": None,
        "required_calls": None,
        "usage": None,
        "incomplete_reason": None,
        "error_code": None,
        "error_message": None,
    }


def _moved_facts(facts: Facts, data: EventData, event: Event, _: bytes) -> Facts:
    return {
        "status": MOVES[facts["status"]][event.type],
        "required_calls": None,
        "usage": usage_fact(getattr(data, "usage", None)) or facts["usage"],
    }


def _held_facts(
    facts: Facts, data: RunStarted | RunTakenOver, event: Event, stream: bytes
) -> Facts:
    return {**_moved_facts(facts, data, event, stream), "holder": data.holder}


def _failed_facts(facts: Facts, data: RunFailed, event: Event, stream: bytes) -> Facts:
    message = Words(stream, (event.version,), "message")
    moved = _moved_facts(facts, data, event, stream)
    return {**moved, "error_code": data.code, "error_message": message}


def _incomplete_facts(facts: Facts, data: RunIncomplete, event: Event, stream: bytes) -> Facts:
    return {**_moved_facts(facts, data, event, stream), "incomplete_reason": data.reason}


def _action_facts(facts: Facts, data: RunActionRequired, event: Event, stream: bytes) -> Facts:
    return {**_moved_facts(facts, data, event, stream), "required_calls": list(data.calls) or None}


def _submitted_facts(
    facts: Facts, data: ToolOutputsSubmitted, event: Event, stream: bytes
) -> Facts:
    if data.all_in:
        return _moved_facts(facts, data, event, stream)
    settled = {*data.calls, *data.approved}
    left = [call for call in facts["required_calls"] or () if call not in settled]
    return {"required_calls": left or None}


def _updated_facts(_: Facts, __: RunUpdated, event: Event, stream: bytes) -> Facts:
    return words(stream, event, "metadata")


def _declared(
    data: type[EventData],
    deed: str,
    evolve: Evolver = _run_moved,
    facts: FactChange = _moved_facts,
    content: type[EventContent] = Note,
) -> ThreadEvent:
    told = facts_of_named(ids.RUN, "run_id", facts, begins=lambda _: data is RunQueued)
    return ThreadEvent(data, content, deed, (told,), evolve=evolve, subject="run_id")


RUNS: Final = (
    _declared(RunQueued, "queued a run", _run_queued, _queued_facts, RunContent),
    _declared(RunStarted, "started a run", _run_started, _held_facts),
    _declared(RunTakenOver, "took a run over", _run_taken_over, _held_facts),
    _declared(RunActionRequired, "asked for the outputs of tools", _action_required, _action_facts),
    _declared(
        ToolOutputsSubmitted,
        "handed in the outputs of tools",
        _outputs_submitted,
        _submitted_facts,
    ),
    _declared(RunCancelling, "asked a run to stop"),
    _declared(RunCancelled, "cancelled a run"),
    _declared(RunCompleted, "completed a run"),
    _declared(RunIncomplete, "ended a run before it was complete", facts=_incomplete_facts),
    _declared(RunFailed, "failed a run", facts=_failed_facts, content=ErrorContent),
    _declared(RunExpired, "let a run expire"),
    _declared(RunUpdated, "changed metadata of a run", _run_updated, _updated_facts, RunDetails),
)

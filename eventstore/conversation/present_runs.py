"""Make values of the rows of runs and of their steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from msgspec import UNSET
from msgspec.structs import asdict

from eventstore.conversation import events as e
from eventstore.conversation.events.rows import run_row
from eventstore.conversation.rows import RunRow, StepRow
from eventstore.conversation.run_lifecycle import HELD, TERMINAL
from eventstore.conversation.run_values import RequiredAction, Run, RunError, RunStep, TokenUsage
from eventstore.conversation.view import ThreadHistory
from eventstore.core import ids
from eventstore.core.events import Event, instant
from eventstore.core.trusted import trusted

__all__ = ["its_run", "its_step", "run_value", "step_value"]


class _OnStep(Protocol):
    """A command about one step."""

    @property
    def step_id(self) -> bytes | None: ...


def _usage(data: object) -> TokenUsage | None:
    usage = getattr(data, "usage", None)
    return None if usage is None else trusted(TokenUsage, asdict(usage))


def _own(given: Mapping[str, object] | None) -> dict[str, Any]:
    """Return a JSON object as a copy: the event that holds it may be presented again."""
    return {} if given is None else {name: _own_value(value) for name, value in given.items()}


def _own_value(value: object) -> object:
    if isinstance(value, dict):
        return _own(value)
    return [_own_value(one) for one in value] if isinstance(value, list) else value


def run_value(view: ThreadHistory, row: RunRow) -> Run:
    """Return a run as users see it. The fields stand in the order of those of ``Run``."""
    queued = view.event(row.version)
    content: e.RunContent = queued.content or e.RunContent()
    fields: dict[str, Any] = {
        "id": ids.show(ids.RUN, row.run_id),
        "thread_id": ids.show(ids.THREAD, view.thread_id),
        "assistant_id": ids.show_or_none(ids.ASSISTANT, row.assistant_id),
        "assistant_version": queued.data.assistant_version,
        "status": row.status,
        "model": queued.data.model,
        "instructions": content.instructions,
        "tools": tuple(map(_own, content.tools or ())),
        "settings": _own(content.settings),
        "metadata": content.metadata or {},
        "regenerates": ids.show_or_none(ids.MESSAGE, row.regenerates),
        "queue": row.queue,
        "holder": row.holder,
        "fence": row.fence,
        "lease_ends_at": _lease_end(view, row),
        "started_head_id": ids.show_or_none(ids.MESSAGE, row.started_head),
        "last_message_id": ids.show_or_none(ids.MESSAGE, row.last_message),
        "required_calls": row.pending_calls,
        "required_actions": (),
        "incomplete_reason": None,
        "error": None,
        "usage": None,
        "created_at": instant(queued.recorded_at_us),
        "updated_at": instant(queued.recorded_at_us),
        "started_at": None,
        "ended_at": None,
        "version": row.changed,
    }
    reasons: dict[str, str] = {}
    for version in view.touches_of(row.run_id):
        event = view.event(version)
        fields["updated_at"] = instant(event.recorded_at_us)
        if event.type == "RunActionRequired":
            reasons = dict(zip(event.data.calls, event.data.reasons, strict=False))
        _fold_run_event(fields, event)
    fields["metadata"] = _own(fields["metadata"])
    fields["required_actions"] = tuple(
        trusted(RequiredAction, {"call_id": call, "reason": reasons.get(call, "outputs")})
        for call in row.pending_calls
    )
    if row.status in TERMINAL:
        fields["ended_at"] = fields.pop("last_move")
    fields.pop("last_move", None)
    return trusted(Run, fields)


def _lease_end(view: ThreadHistory, row: RunRow) -> datetime | None:
    ends_at = view.lease_of(row.run_id) if row.status in HELD else None
    return None if ends_at is None else instant(ends_at)


def _fold_run_event(fields: dict[str, Any], event: Event) -> None:
    data, content = event.data, event.content
    if event.type == "RunUpdated":
        if isinstance(content, e.RunDetails) and content.metadata is not UNSET:
            fields["metadata"] = content.metadata or {}
        elif content is None:  # erased: what it replaced does not come back
            fields["metadata"] = {}
        return
    fields["last_move"] = instant(event.recorded_at_us)
    fields["usage"] = _usage(data) or fields["usage"]
    if event.type == "RunStarted":
        fields["started_at"] = fields["started_at"] or fields["last_move"]
    elif event.type == "RunFailed":
        fields["error"] = _error(data.code, content)
    elif event.type == "RunIncomplete":
        fields["incomplete_reason"] = data.reason


def step_value(view: ThreadHistory, row: StepRow) -> RunStep:
    """Return a step as users see it. A step that never reported is abandoned once its run ended."""
    started = view.event(row.version)
    data, content = started.data, started.content
    run = view.run(row.run_id)
    status: str = row.status
    if status == "in_progress" and run is not None and run.status in TERMINAL:
        status = "abandoned"
    fields: dict[str, Any] = {
        "id": ids.show(ids.STEP, row.step_id),
        "run_id": ids.show(ids.RUN, row.run_id),
        "thread_id": ids.show(ids.THREAD, view.thread_id),
        "type": data.type,
        "status": status,
        "details": _own(content.details if content else None),
        "head_id": ids.show_or_none(ids.MESSAGE, data.head),
        "seen_version": data.seen_version,
        "left_out": tuple(ids.show(ids.MESSAGE, key) for key in data.left_out),
        "error": None,
        "usage": None,
        "created_at": instant(started.recorded_at_us),
        "ended_at": None,
        "version": row.version,
    }
    if status != row.status and run is not None:
        fields["ended_at"] = instant(view.event(run.changed).recorded_at_us)
    for version in view.touches_of(row.step_id):
        ended = view.event(version)
        fields["ended_at"] = instant(ended.recorded_at_us)
        fields["version"] = version
        fields["usage"] = _usage(ended.data)
        if isinstance(ended.content, e.ErrorContent) or ended.type == "RunStepFailed":
            fields["error"] = _error(ended.data.code, ended.content)
        elif isinstance(ended.content, e.StepContent) and ended.content.details is not None:
            fields["details"] = {**fields["details"], **_own(ended.content.details)}
    return trusted(RunStep, fields)


def _error(code: str, content: e.ErrorContent | None) -> RunError:
    return trusted(RunError, {"code": code, "message": content.message if content else None})


# -- results of commands, from the state right after them ------------------------------------------


def its_run(view: ThreadHistory, command: object, events: Sequence[Event]) -> Run:
    run_id = getattr(command, "run_id", None)
    if run_id is None:
        run_id = next(event for event in reversed(events) if event.type == "RunQueued").data.run_id
    return run_value(view, run_row(view, run_id))


def its_step(view: ThreadHistory, command: _OnStep, events: Sequence[Event]) -> RunStep:
    step_id = events[-1].data.step_id if events else command.step_id
    row = None if step_id is None else view.row(StepRow, step_id)
    assert row is not None  # noqa: S101 (decided)
    return step_value(view, row)

"""The events of a run's steps: their data, their content, and the rows that they change."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from eventstore.conversation.events.base import ErrorContent, Note, Usage, usage_fact
from eventstore.conversation.events.rows import run_row
from eventstore.conversation.events.thread_event import Evolver, ThreadEvent
from eventstore.conversation.facts import (
    Facts,
    Words,
    facts_of_named,
    shown_id,
    words,
)
from eventstore.conversation.rows import (
    Row,
    StepRow,
    StepStatus,
    TouchRow,
)
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
from eventstore.core.events import Event, EventData

__all__ = [
    "STEPS",
    "RunStepCompleted",
    "RunStepFailed",
    "RunStepStarted",
    "StepBegun",
    "StepContent",
]

# ruff: noqa: D101 (each event is explained once, in the table of docs/format.md)


class RunStepStarted(EventData, frozen=True):
    """The context of a step: enough to rebuild the exact list of messages and revisions."""

    run_id: bytes
    step_id: bytes
    type: str
    head: bytes | None = None
    seen_version: int | None = None
    ranges: tuple[tuple[int, int, int, int], ...] = ()
    left_out: tuple[bytes, ...] = ()
    erased: tuple[bytes, ...] = ()
    """Messages that were erased already, so the digest covers no words of them."""


class RunStepCompleted(EventData, frozen=True):
    run_id: bytes
    step_id: bytes
    usage: Usage | None = None


class RunStepFailed(EventData, frozen=True):
    run_id: bytes
    step_id: bytes
    code: str = "server_error"


class StepContent(Note, frozen=True):
    details: dict[str, Any] | None = None


class StepBegun(StepContent, frozen=True):
    """The salt allows testing guesses of the words, so an erasure of a seen message removes it."""

    salt: bytes | None = None
    digest: bytes | None = None


def _step_started(view: ThreadView, data: RunStepStarted, event: Event) -> list[Row]:
    run = run_row(view, data.run_id)
    return [StepRow(data.step_id, data.run_id, event.version), replace(run, steps=run.steps + 1)]


def _step_ended(status: StepStatus) -> Evolver:
    def end(view: ThreadView, data: RunStepCompleted | RunStepFailed, event: Event) -> list[Row]:
        step = view.row(StepRow, data.step_id)
        if step is None:
            message = f"an event names step {data.step_id.hex()}, which the run does not have"
            raise LookupError(message)
        return [TouchRow(data.step_id, event.version), replace(step, status=status)]

    return end


def _started_facts(_: Facts, data: RunStepStarted, event: Event, stream: bytes) -> Facts:
    return {
        "status": "in_progress",
        "run_id": shown_id(ids.RUN, data.run_id),
        "type": data.type,
        "head_id": shown_id(ids.MESSAGE, data.head),
        **words(stream, event, "details"),
        "usage": None,
        "error_code": None,
        "error_message": None,
    }


def _completed_facts(facts: Facts, data: RunStepCompleted, event: Event, _: bytes) -> Facts:
    begun: Words = facts["details"]
    details = begun._replace(versions=(*begun.versions, event.version))
    return {"status": "completed", "usage": usage_fact(data.usage), "details": details}


def _failed_facts(_: Facts, data: RunStepFailed, event: Event, stream: bytes) -> Facts:
    message = Words(stream, (event.version,), "message")
    return {"status": "failed", "error_code": data.code, "error_message": message}


STEPS: Final = (
    ThreadEvent(
        RunStepStarted,
        StepBegun,
        "began a step",
        (facts_of_named(ids.STEP, "step_id", _started_facts, begins=lambda _: True),),
        evolve=_step_started,
        subject="run_id",
    ),
    ThreadEvent(
        RunStepCompleted,
        StepContent,
        "completed a step",
        (facts_of_named(ids.STEP, "step_id", _completed_facts),),
        evolve=_step_ended("completed"),
        subject="run_id",
    ),
    ThreadEvent(
        RunStepFailed,
        ErrorContent,
        "failed a step",
        (facts_of_named(ids.STEP, "step_id", _failed_facts),),
        evolve=_step_ended("failed"),
        subject="run_id",
    ),
)
